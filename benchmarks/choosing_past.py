"""What is known before a search of the benchmark ``choosing``: the ranking, and studies of the other targets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from choosing_replay import race
from choosing_table import Table
from choosing_tasks import SIZE, Target, target_images
from scipy.stats import entropy

from translearn.cluster.scoring import score
from translearn.config import StudySpec
from translearn.contest import Fate, Point
from translearn.models.sources import Source
from translearn.proposals import OptunaProposals
from translearn.ranking.decisions import ranked
from translearn.ranking.prior import Past, Prior
from translearn.study.ranking.rank import contender
from translearn.study.ranking.warm_start import suggestions, taught


@dataclass(frozen=True)
class Ranking:
    """A ranking of a target's sources.

    Attributes:
        prior: It, as a search uses it.
        scores: The kNN score of each source at its last stage.
        seconds: What it took.
    """

    prior: Prior
    scores: Mapping[str, float]
    seconds: float


def ranking_of(target: Target, seed: int, sources: Mapping[str, Source], spec: StudySpec) -> Ranking:
    """Ranks the sources on a target's training images."""
    train, _ = target_images(target, seed)
    started = time.perf_counter()
    pool = []
    for source in sources.values():
        if source.kind != "scratch":
            found = score(source, train, None, spec, torch.device("cpu"))
            pool.append(contender(source, found))
    kept = [one for one in ranked(pool).sources if not one.is_dropped]
    prior = Prior({one.name: one.weight for one in kept}, {one.name: one.freeze_depth for one in kept})
    return Ranking(prior, {one.name: one.last("knn").value for one in pool}, time.perf_counter() - started)


def past_of(
    spec: StudySpec,
    sources: Mapping[str, Source],
    target: Target,
    scores: Mapping[str, float],
    past: list[list[dict[str, Any]]],
) -> Past:
    """What past studies teach of a target, whose ranking gave these scores; empty without one."""
    rows = [row for study in past for row in study]
    return taught(suggestions(spec, sources, _features(target), scores, rows))


def past_study(
    target: Target, table: Table, ranking: Ranking, spec: StudySpec, sources: dict[str, Source]
) -> list[dict[str, Any]]:
    """The trials of a race on another target, as the store has them."""
    drawn = _Told(OptunaProposals(spec, sources))
    for _ in race(drawn, table, spec):
        pass
    common = {"study": f"{target.name} {spec.seed}", "optimizer": spec.train.optimizer, **_features(target)}
    return [
        {**common, **_trial(number, point, fate, sources[point.source], ranking)}
        for number, (point, fate) in enumerate(drawn.told)
        if fate.val_errors
    ]


def _features(target: Target) -> dict[str, Any]:
    num_classes = len(target.classes)
    return {
        "num_classes": num_classes,
        "images_per_class": float(target.per_class),
        "label_entropy": float(entropy(np.ones(num_classes))),
        "image_size": SIZE,
    }


def _trial(number: int, point: Point, fate: Fate, source: Source, ranking: Ranking) -> dict[str, Any]:
    return {
        "trial_id": str(number),
        "source": point.source,
        "arch": source.arch,
        "kind": source.kind,
        "source_fingerprint": source.fingerprint,
        "source_score": ranking.scores.get(point.source),
        "freeze_depth": point.freeze_depth,
        "lr": point.lr,
        "weight_decay": point.weight_decay,
        "status": "done" if fate.is_done else "stopped",
        "epochs": len(fate.val_errors),
        "val_error": fate.val_errors[-1],
        "val_loss": 0.0,
    }


class _Told:
    """Proposals that remember what became of their points."""

    num_pilots = 0

    def __init__(self, proposals: OptunaProposals) -> None:
        self.told: list[tuple[Point, Fate]] = []
        self._proposals, self._drawn = proposals, list[Point]()

    def draw(self, num: int) -> list[Point]:
        """See ``Proposals``."""
        self._drawn = self._proposals.draw(num)
        return self._drawn

    def tell(self, fates: Any) -> None:
        """See ``Proposals``."""
        self.told += zip(self._drawn, fates, strict=True)
        self._proposals.tell(fates)
