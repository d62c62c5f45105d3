"""What a worker does with a heat: its trials in lock-step from where they are to the heat's last epoch."""

from __future__ import annotations

import copy
import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from translearn.cluster.data.shared import Shared, Task, fetch
from translearn.cluster.keeper import Keeper
from translearn.cluster.node_cache import Readings, Splits, identity, stored_boundaries
from translearn.cluster.states import Places, Saved
from translearn.cluster.tracking.log import log
from translearn.cluster.training.rows import diverged, facts, figures
from translearn.config import StudySpec
from translearn.contest import Contestant, Heat, Row
from translearn.errors import NonFiniteLossError, StorageError
from translearn.models.sources import initial_network
from translearn.models.weights import fingerprint
from translearn.training.config import EpochResult, Recipe
from translearn.training.distributed import Team
from translearn.training.epoch import Stored
from translearn.training.loop import Entrant, fine_tune_together


@dataclass(frozen=True)
class Setting:
    """What the heats of a search have in common.

    Attributes:
        shared: The task.
        spec: The study.
        places: Where states are.
        threads: Of each worker; part of a trial's identity, because bits depend on it.
    """

    shared: Shared
    spec: StudySpec
    places: Places
    threads: int


@dataclass(frozen=True)
class Order:
    """A heat, and the CPU seconds that a new process would have taken to be ready for it."""

    setting: Setting
    heat: Heat
    reused_s: float = 0.0


@dataclass(frozen=True)
class Marks:
    """How an epoch of a heat was run, as its rows tell.

    Attributes:
        began_at: When the epoch began, in Unix seconds.
        fused: How many trials were in lock-step.
        reused_s: What the process that was there already saved, over the whole heat.
        cached_s: What stored boundaries saved, by freeze depth.
        spent_s: A trial's part of what it took to have them; of the trials that read some, else of all.
    """

    began_at: float
    fused: int
    reused_s: float
    cached_s: Mapping[int, float]
    spent_s: float = 0.0

    def of(self, contestant: Contestant) -> Row:
        """Their part in a trial's row."""
        depth = contestant.point.freeze_depth
        cached_s = self.cached_s.get(depth, 0.0) - (
            self.spent_s if depth in self.cached_s or not self.cached_s else 0.0
        )
        times = {"began_at": self.began_at, "ended_at": time.time()}
        return {**times, "fused": self.fused, "reused_s": self.reused_s, "cached_s": cached_s}


def recipe(spec: StudySpec, contestant: Contestant) -> Recipe:
    """What a trial does."""
    point = contestant.point
    train = spec.train.model_copy(update={"weight_decay": point.weight_decay})
    return Recipe(point.freeze_depth, point.lr, spec.search.epochs, spec.seed, train, spec.search.views)


def run_heat(order: Order, team: Team) -> Iterator[list[Row]]:
    """Yields the rows of each epoch; first those that an earlier attempt left, then the heat's own.

    Every worker of the team iterates; the first one keeps the states.
    """
    heat, setting = order.heat, order.setting
    task, spec = task_of(setting.shared), setting.spec
    runs = [contestant.run for contestant in heat.contestants]
    # All workers go on from what the first one found: memory may be lost while they look.
    saved: dict[str, Saved] = team.agreed(lambda: {} if heat.is_replay else _saved(runs, setting.places))
    curves = {run: list(saved[run]["curve"]) if run in saved else [] for run in runs}
    yield [row for curve in curves.values() for row in curve if row["epoch"] <= heat.until]
    left = {place for place, run in enumerate(runs) if run not in saved or saved[run]["state"]["epoch"] < heat.until}
    if not left:
        return
    entrants = _entrants(heat, task, spec, saved)
    team = dataclasses.replace(team, sync_batchnorm=spec.train.sync_batchnorm)
    known = _readings(order, task, entrants, team)
    keeper = Keeper(heat, spec, setting.places, curves) if team.rank == 0 else None
    began_at, reused_s, spent_s = time.time(), order.reused_s, _spent_s(heat, known)
    for results in fine_tune_together(entrants, task.train, task.val, team, known.stored):
        marks = Marks(began_at, len(results), reused_s / len(results), known.saved_s, spent_s)
        rows = [_row(order, place, result, marks, team) for place, result in results.items()]
        for place, row in zip(results, rows, strict=True):
            curves[runs[place]].append(row)
        left -= {
            place for place, one in results.items() if isinstance(one, NonFiniteLossError) or one.epoch == heat.until
        }
        if keeper and not heat.is_replay:
            keeper.take(results, over=not left)
        yield rows
        if not left:
            return
        began_at, reused_s, spent_s = time.time(), 0.0, 0.0


@functools.lru_cache(maxsize=1)
def task_of(shared: Shared) -> Task:
    """The task, fetched once a process."""
    return fetch(shared)


@functools.lru_cache(maxsize=2)
def _identity_of(shared: Shared, split: str) -> str:
    """What tells a split of the task from every other set of images, looked for once a process."""
    return identity(getattr(task_of(shared), split))


def _readings(order: Order, task: Task, entrants: list[Entrant], team: Team) -> Readings:
    heat, setting = order.heat, order.setting
    if heat.is_replay:
        return Readings(Stored(), {})
    num_reads = heat.until - min(entrant.state["epoch"] if entrant.state else 0 for entrant in entrants)
    source = task.sources[heat.contestants[0].point.source].fingerprint
    splits = Splits(task.train, task.val, functools.partial(_identity_of, setting.shared))
    try:
        found = stored_boundaries(entrants, source, splits, num_reads, setting.spec, team)
    except StorageError as error:  # a disk that is full costs time, not the trial
        _log(order, team, place="recompute", reason=str(error))
        return Readings(Stored(), {})
    for split, plan in found.plans.items():
        for one in plan:
            _log(order, team, split=split, depth=one.depth, place=one.place, reason=one.reason)
    return found


def _log(order: Order, team: Team, **fields: Any) -> None:
    runs = " ".join(contestant.run for contestant in order.heat.contestants)
    log("boundary", order.setting.spec.name, runs, team.rank, **fields)


def _spent_s(heat: Heat, known: Readings) -> float:
    """A trial's part of what it took to have the readings."""
    readers = [one for one in heat.contestants if one.point.freeze_depth in known.saved_s]
    return known.spent_s / len(readers or heat.contestants)


def _saved(runs: Sequence[str], places: Places) -> dict[str, Saved]:
    return {run: state for run in runs if (state := places.load(run))}


def _entrants(heat: Heat, task: Task, spec: StudySpec, saved: Mapping[str, Saved]) -> list[Entrant]:
    source = task.sources[heat.contestants[0].point.source]
    # Initialising a network takes ten times as long as copying one.
    network, _ = initial_network(source, task.num_classes, spec.seed)
    return [
        Entrant(
            copy.deepcopy(network), recipe(spec, one), saved[one.run]["state"] if one.run in saved else None, heat.until
        )
        for one in heat.contestants
    ]


def _row(order: Order, place: int, result: EpochResult | NonFiniteLossError, marks: Marks, team: Team) -> Row:
    """An epoch of a trial: its figures, and how it was run."""
    contestant, setting = order.heat.contestants[place], order.setting
    told = recipe(setting.spec, contestant)
    known = {"run": contestant.run, "is_replay": order.heat.is_replay, **facts(told, setting.threads, team.device)}
    if isinstance(result, NonFiniteLossError):
        return {**diverged(contestant.run, told, result), **known, **marks.of(contestant)}
    weights = fingerprint(result.state()["model"]) if result.epoch == told.epochs else None
    return {**figures(result), **known, **marks.of(contestant), "weights": weights}
