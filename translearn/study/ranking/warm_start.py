"""Knowledge of past studies: the best configurations of those with the most similar targets, and their rates.

Source: Feurer, Springenberg & Hutter, Initializing Bayesian Hyperparameter Optimization via Meta-Learning, AAAI 2015.
    Ours: the second best configurations follow, a configuration stands in for another source's, and a median of the
    best learning rates takes the place of the default one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import zip_longest
from statistics import median_low
from typing import Any

import pyarrow as pa

from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.models.backbones.stages import freeze_depths, num_stages
from translearn.models.sources import Source
from translearn.ranking.prior import NOTHING, Past, TrialConfig, is_same_rate
from translearn.storage.folder import Folder
from translearn.study.datasets.prepare import Splits
from translearn.study.ranking.history import HISTORY, recall, source_scores, target_features
from translearn.study.ranking.near_studies import by_nearness
from translearn.study.tables import TRIAL_SCHEMA, table

WARM_START = "warm_start.parquet"
#: The trials of a study for each configuration that past ones suggest.
_TRIALS_A_CONFIG = 12
#: Of so many studies, the nearest ones, the best learning rates count.
_STUDIES_OF_A_RATE = 5

_CONFIG = tuple(field.name for field in fields(TrialConfig))
WARM_START_SCHEMA = pa.schema(
    [
        *(TRIAL_SCHEMA.field(name) for name in _CONFIG),
        ("is_scratch", pa.bool_()),
        ("is_tried", pa.bool_()),
        ("teaches_rate", pa.bool_()),
        ("from_study", pa.string()),
        ("from_trial", pa.string()),
        ("from_error", pa.float64()),
        ("distance", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Suggestion:
    """A configuration that was good in a past study.

    Attributes:
        config: It, on a source of this study.
        from_study: The past study's name.
        from_trial: The trial's, in that study.
        from_error: Its validation error there.
        distance: Between both targets, at least 0; in standard deviations of the meta-features.
        is_scratch: Whether its source is scratch.
        is_tried: Whether it is to be tried.
        teaches_rate: Whether it is its study's best of its kind, and so its learning rate counts.
    """

    config: TrialConfig
    from_study: str
    from_trial: str
    from_error: float
    distance: float
    is_scratch: bool
    is_tried: bool = False
    teaches_rate: bool = False


def warm_start(spec: StudySpec, folder: Folder, splits: Splits, sources: Mapping[str, Source]) -> Past:
    """Return the knowledge of past studies; none unless ``search.warm_start`` says where they are.

    Leaves ``warm_start.parquet``: when the study is run again it holds, whatever has come to the store since.

    Args:
        spec: The study.
        folder: Its directory, with the ranking if there is to be one.
        splits: Its target.
        sources: Those that may be drawn by name, best first where that is known, scratch among them.
    """
    where = spec.search.warm_start
    if where == "off":
        return NOTHING
    if not folder.exists(WARM_START):
        past = recall(Folder.open(spec.storage if where == "auto" else where) / HISTORY)
        found = suggestions(spec, sources, target_features(spec, splits), source_scores(folder), past)
        tried = [one for one in found if one.is_tried]
        say(f"warm start: {len(tried)} configurations of {len({one.from_study for one in tried})} past studies")
        folder.write_table(WARM_START, table([_row(one) for one in found], WARM_START_SCHEMA))
    return taught([_read(row) for row in folder.read_table(WARM_START).to_pylist()])


def taught(found: Sequence[Suggestion]) -> Past:
    """Return the suggestions to be tried, and the median (the lower of two) of the nearest studies' rates."""
    tried = tuple(one.config for one in found if one.is_tried)
    return Past(tried, lr=_median_rate(found, is_scratch=False), scratch_lr=_median_rate(found, is_scratch=True))


def _median_rate(found: Sequence[Suggestion], *, is_scratch: bool) -> float | None:
    near = sorted(found, key=lambda one: one.distance)
    rates = [one.config.lr for one in near if one.teaches_rate and one.is_scratch == is_scratch]
    return median_low(rates[:_STUDIES_OF_A_RATE]) if rates else None


def _read(row: Mapping[str, Any]) -> Suggestion:
    own = [field.name for field in fields(Suggestion) if field.name != "config"]
    return Suggestion(TrialConfig(**{field: row[field] for field in _CONFIG}), **{field: row[field] for field in own})


def _row(one: Suggestion) -> dict[str, Any]:
    return {**asdict(one), **asdict(one.config)}


def suggestions(
    spec: StudySpec,
    sources: Mapping[str, Source],
    target: Mapping[str, Any],
    scores: Mapping[str, float],
    past: Sequence[Mapping[str, Any]],
) -> list[Suggestion]:
    """Return configurations that were good, the best of the nearest study before all others.

    To be tried are the best of each study in turn, from the nearest to the farthest, then the second best, and so on:
    one for twelve trials, at least one; more crowd out what a new target needs. Scratch, which races for
    itself, has its best rate of the nearest study besides. The best of each study teaches its learning rate, the
    best below the linear probe, whose rates are others.

    Args:
        spec: The study.
        sources: Its sources by name, best first where that is known, scratch among them.
        target: What ``history.target_features`` tells.
        scores: What ``history.source_scores`` tells.
        past: Trials of other studies, as ``history.recall`` reads them.
    """
    same = [row for row in past if row["optimizer"] == spec.train.optimizer and row["study"] != spec.name]
    near = by_nearness(sources, target, scores, same)
    listed = [[one for row in trials if (one := _suggestion(spec, sources, row, far))] for far, trials in near]
    baseline = [[one for one in study if one.is_scratch] for study in listed]
    transfer = [[one for one in study if not one.is_scratch] for study in listed]
    num = max(1, spec.search.trials // _TRIALS_A_CONFIG)
    return _kept(baseline, 1, sources) + _kept(transfer, num, sources)


def _suggestion(
    spec: StudySpec, sources: Mapping[str, Source], row: Mapping[str, Any], distance: float
) -> Suggestion | None:
    """Return a past trial on this study's sources and within its space; None where it has no place there."""
    name = _stand_in(sources, row)
    low, high = spec.search.lr
    if name is None or row["status"] != "done" or not low <= row["lr"] <= high:
        return None
    is_scratch = row["kind"] == "scratch"
    if not is_scratch and row["freeze_depth"] not in freeze_depths(spec.search, row["arch"]):
        return None
    decays = spec.search.weight_decay or (spec.train.weight_decay,)
    decay = min(decays, key=lambda one: abs(one - row["weight_decay"]))
    config = TrialConfig(name, row["freeze_depth"], row["lr"], decay)
    return Suggestion(config, row["study"], row["trial_id"], row["val_error"], distance, is_scratch)


def _stand_in(sources: Mapping[str, Source], row: Mapping[str, Any]) -> str | None:
    """Return the source of this study that has the trial's weights, else the first one of its architecture."""
    alike = {
        name: source
        for name, source in sources.items()
        if source.arch == row["arch"] and (source.kind == "scratch") == (row["kind"] == "scratch")
    }
    same = [name for name, source in alike.items() if source.fingerprint == row["source_fingerprint"]]
    return next(iter([*same, *alike]), None)


def _kept(listed: list[list[Suggestion]], num: int, sources: Mapping[str, Source]) -> list[Suggestion]:
    """Return, the nearest study first, the trials that are to be tried and those that teach a rate."""
    in_turn = [one for turn in zip_longest(*listed) for one in turn if one]
    tried = _different(in_turn)[:num]
    teachers = [next((one for one in study if not _is_probe(one, sources)), None) for study in listed]
    only_taught = [one for one in teachers if one and one not in tried]
    return [
        *(replace(one, is_tried=True, teaches_rate=one in teachers) for one in tried),
        *(replace(one, teaches_rate=True) for one in only_taught),
    ]


def _is_probe(one: Suggestion, sources: Mapping[str, Source]) -> bool:
    return not one.is_scratch and one.config.freeze_depth == num_stages(sources[one.config.source].arch)


def _different(found: Sequence[Suggestion]) -> list[Suggestion]:
    """Return each configuration once: the first of those that are nearly the same."""
    kept: list[Suggestion] = []
    for one in found:
        if not any(_is_same(one.config, other.config) for other in kept):
            kept.append(one)
    return kept


def _is_same(one: TrialConfig, other: TrialConfig) -> bool:
    alike = (one.source, one.freeze_depth, one.weight_decay) == (other.source, other.freeze_depth, other.weight_decay)
    return alike and is_same_rate(one.lr, other.lr)
