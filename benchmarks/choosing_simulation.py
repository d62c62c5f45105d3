"""Searches of the benchmark ``choosing``, simulated on a table of curves, and what is known before each of them.

Nothing is trained here: the study's own searcher and Tune's own scheduler are called as Tune's controller calls them,
with two trials at once and one pending, and each epoch lasts as long as the table says. A configuration is answered by
the nearest learning rate of the grid.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from choosing_tasks import RATES, SIZE, Curve, Table, Target, target_images
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from scipy.stats import entropy

from translearn.cluster.scoring import score
from translearn.cluster.tuning.schedulers import SchedulerPerKind, ScratchApart, study_scheduler
from translearn.cluster.tuning.searchers import study_search
from translearn.cluster.tuning.space import search_space
from translearn.config import StudySpec
from translearn.models.sources import Source
from translearn.ranking.first_configurations import first_configurations
from translearn.ranking.prior import NOTHING, Past, Prior
from translearn.study.ranking.rank import prior, ranking_of
from translearn.study.ranking.warm_start import suggestions, taught

CONCURRENT = 2


@dataclass(frozen=True)
class Epoch:
    """An epoch that a search trained.

    Attributes:
        trial: The number of the trial.
        config: Its settled config.
        epoch: Counted from 1.
        val_error: After it.
        seconds: Processor seconds.
        ends_trial: Whether it is the last one of a whole trial.
    """

    trial: int
    config: dict[str, Any]
    epoch: int
    val_error: float
    seconds: float
    ends_trial: bool


@dataclass(frozen=True)
class Found:
    """What a search cost until it was near the best.

    Attributes:
        trials: Epochs trained, over those of a whole trial.
        seconds: Processor seconds of them.
        is_near: Whether it came near; if not, the costs are those of all of it.
        error: The lowest final validation error of all of it; 1 where no trial was trained whole.
    """

    trials: float
    seconds: float
    is_near: bool
    error: float


@dataclass(frozen=True)
class Known:
    """A ranking of a target's sources: the prior of a search, the score of each source, and the seconds it took."""

    prior: Prior
    scores: Mapping[str, float]
    seconds: float


@dataclass(order=True)
class _Trial:
    """A trial as schedulers see it; the heap orders trials by the end of their current epoch."""

    until: float
    number: int
    trial_id: str = field(compare=False)
    config: dict[str, Any] = field(compare=False)
    curve: Curve = field(compare=False)
    last_result: dict[str, Any] = field(compare=False, default_factory=dict)

    def next_seconds(self) -> float:
        """Return the length of the next epoch; one that diverges counts nothing."""
        done = self.last_result.get("epoch", 0)
        return self.curve[done][1] if done < len(self.curve) else 0.0


def plain(spec: StudySpec, sources: Mapping[str, Source], table: Table) -> Iterator[Epoch]:
    """Search by the sampler and the scheduler of the study alone: no first configurations, scratch as any source."""
    return simulated(study_search(spec, search_space(spec, sources)), study_scheduler(spec.search), table, spec)


def ours(
    spec: StudySpec,
    sources: Mapping[str, Source],
    table: Table,
    known: Prior | None = None,
    past: Past = NOTHING,
) -> Iterator[Epoch]:
    """Search as a study does; ``sources`` are those that have trials."""
    scratch = frozenset(name for name, source in sources.items() if source.kind == "scratch")
    scheduler = SchedulerPerKind(study_scheduler(spec.search), ScratchApart(scratch))
    first = first_configurations(spec, sources, known, past)
    return simulated(study_search(spec, search_space(spec, sources), first), scheduler, table, spec)


def tried(sources: Mapping[str, Source], known: Prior) -> dict[str, Source]:
    """Return the sources that have trials, best first, and scratch."""
    scratch = [name for name, source in sources.items() if source.kind == "scratch"]
    return {name: sources[name] for name in (*known.order, *scratch)}


def simulated(searcher: Searcher, scheduler: TrialScheduler, table: Table, spec: StudySpec) -> Iterator[Epoch]:
    """Yield the epochs of a search in the order in which they end."""
    scheduler.set_search_properties("val_error", "min")
    running: list[_Trial] = []
    pending: deque[_Trial] = deque()
    num, now = 0, 0.0
    while True:
        while num < spec.search.trials and len(running) + len(pending) <= CONCURRENT:
            pending.append(_suggested(searcher, scheduler, table, num))
            num += 1
        while pending and len(running) < CONCURRENT:
            trial = pending.popleft()
            trial.until = now + trial.next_seconds()
            heapq.heappush(running, trial)
        if not running:
            return
        trial = heapq.heappop(running)
        now, seconds = trial.until, trial.next_seconds()
        is_over = _tell(searcher, scheduler, trial, spec.search.epochs)
        result = trial.last_result
        if "reason" not in result:
            ends = result["epoch"] == spec.search.epochs
            yield Epoch(trial.number, trial.config, result["epoch"], result["val_error"], seconds, ends)
        if not is_over:
            trial.until = now + trial.next_seconds()
            heapq.heappush(running, trial)


def followed(search: Iterator[Epoch], epochs: int, goal: float) -> Found:
    """Follow a search to its end; count its costs until a whole trial of ``epochs`` ended at or below ``goal``."""
    num, seconds, best, at_goal = 0, 0.0, 1.0, None
    for one in search:
        num, seconds = num + 1, seconds + one.seconds
        best = min(best, one.val_error) if one.ends_trial else best
        if at_goal is None and best <= goal:
            at_goal = (num, seconds)
    spent = at_goal or (num, seconds)
    return Found(spent[0] / epochs, spent[1], at_goal is not None, best)


def known_of(target: Target, seed: int, sources: Mapping[str, Source], spec: StudySpec) -> Known:
    """Rank the sources on a target's training images."""
    train, _ = target_images(target, seed)
    started = time.perf_counter()
    weighted = {name: source for name, source in sources.items() if source.kind != "scratch"}
    scored = {name: score(source, train, None, spec, torch.device("cpu")) for name, source in weighted.items()}
    found = prior(ranking_of(scored, weighted, len(train)))
    # Scores come by depth: the last one stays.
    knn = {name: one.spread.value for name, found in scored.items() for one in found.scores if one.score == "knn"}
    return Known(found, knn, time.perf_counter() - started)


def past_of(
    spec: StudySpec,
    sources: Mapping[str, Source],
    target: Target,
    scores: Mapping[str, float],
    past: Sequence[Mapping[str, Any]],
) -> Past:
    """Return what past trials teach of a target, whose ranking gave these scores; no scores where there was none."""
    return taught(suggestions(spec, sources, _features(target), scores, past))


def past_study(
    target: Target, table: Table, known: Known, spec: StudySpec, sources: Mapping[str, Source]
) -> list[dict[str, Any]]:
    """Return the trials of a search on another target, as the store of past studies has them."""
    last = {one.trial: one for one in ours(spec, sources, table)}
    return [
        {
            "study": f"{target.name} {spec.seed}",
            "optimizer": spec.train.optimizer,
            **_features(target),
            **one.config,
            "trial_id": str(number),
            "kind": sources[one.config["source"]].kind,
            "source_fingerprint": sources[one.config["source"]].fingerprint,
            "source_score": known.scores.get(one.config["source"]),
            "status": "done" if one.ends_trial else "stopped",
            "epochs": one.epoch,
            "val_error": one.val_error,
            "val_loss": 0.0,
        }
        for number, one in last.items()
    ]


def nearest(table: Table, config: Mapping[str, Any]) -> Curve:
    """Return the curve of the grid's nearest trial."""
    rate = min(RATES, key=lambda rate: abs(math.log(rate / config["lr"])))
    return table[config["source"], config["freeze_depth"], rate]


def _suggested(searcher: Searcher, scheduler: TrialScheduler, table: Table, number: int) -> _Trial:
    config = searcher.suggest(str(number))
    assert config is not None
    trial = _Trial(0.0, number, str(number), config, nearest(table, config))
    scheduler.on_trial_add(None, trial)
    return trial


def _tell(searcher: Searcher, scheduler: TrialScheduler, trial: _Trial, epochs: int) -> bool:
    """Tell of an epoch as ``TuneController`` does; return whether the trial is over."""
    epoch = trial.last_result.get("epoch", 0) + 1
    has_diverged = epoch > len(trial.curve)
    outcome = {"val_error": 1.0, "reason": "diverged"} if has_diverged else {"val_error": trial.curve[epoch - 1][0]}
    result = {"epoch": epoch, "training_iteration": epoch, "epochs": epochs, **outcome}
    is_over = has_diverged or epoch == epochs
    is_over = is_over or scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP
    trial.last_result = result
    if is_over:
        scheduler.on_trial_complete(None, trial, result)
        searcher.on_trial_complete(trial.trial_id, result)
    else:
        searcher.on_trial_result(trial.trial_id, result)
    return is_over


def _features(target: Target) -> dict[str, Any]:
    num_classes = len(target.classes)
    return {
        "num_classes": num_classes,
        "images_per_class": float(target.per_class),
        "label_entropy": float(entropy(np.ones(num_classes))),
        "image_size": SIZE,
    }
