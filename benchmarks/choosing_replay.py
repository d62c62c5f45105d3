"""Searchers of the benchmark ``choosing``, replayed on a table of curves: what each trains before it is near the best.

Nothing is trained here: a searcher pays for the epochs that it asks for. All draw from the study's continuous space; a
point is answered by the nearest learning rate of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from choosing_table import RATES, Cell, Curve, Table

from translearn.cluster.search import generations
from translearn.config import StudySpec
from translearn.config.archs import num_stages
from translearn.contest import Contestant, Point, Proposals, Row
from translearn.models.sources import Source
from translearn.proposals import OptunaProposals
from translearn.race import Race
from translearn.rungs import rungs
from translearn.seeds import generator

#: An epoch that was trained: its seconds, and the validation error where it was a trial's last one.
Epoch = tuple[float, float | None]
Searcher = Callable[[Table, StudySpec, Mapping[str, Source]], Iterator[Epoch]]


@dataclass(frozen=True)
class Found:
    """What a search cost until it was near the best.

    Attributes:
        trials: Epochs trained, over those of a whole trial.
        seconds: Of training, one trial at a time.
        is_near: Whether it came near; if not, the costs are those of all of it.
        error: The lowest final validation error of all of it; 1 where no trial was trained whole.
    """

    trials: float
    seconds: float
    is_near: bool
    error: float


def followed(search: Callable[..., Iterator[Epoch]], spec: StudySpec, goal: float) -> Found:
    """Follows a search to its end, and counts its costs until a trial ended at or below ``goal``.

    Args:
        search: A searcher that lacks nothing but ``spec``.
        spec: The study to search for.
        goal: A validation error.
    """
    num, seconds, best, at_goal = 0, 0.0, 1.0, None
    for cost, error in search(spec=spec):
        num, seconds = num + 1, seconds + cost
        best = best if error is None else min(best, error)
        if at_goal is None and best <= goal:
            at_goal = (num, seconds)
    spent = at_goal or (num, seconds)
    return Found(spent[0] / spec.search.epochs, spent[1], at_goal is not None, best)


def random_search(table: Table, spec: StudySpec, sources: Mapping[str, Source]) -> Iterator[Epoch]:
    """Points drawn evenly, each trained whole."""
    for point in _random_points(spec, sources):
        yield from _trained(curve_of(table, point), spec.search.epochs)


def optuna_alone(table: Table, spec: StudySpec, sources: Mapping[str, Source]) -> Iterator[Epoch]:
    """Optuna's TPE with the settings of our search, one trial after the other, each trained whole."""
    sampler = optuna.samplers.TPESampler(seed=spec.seed, multivariate=True, group=True, constant_liar=True)
    study = optuna.create_study(sampler=sampler)
    for _ in range(spec.search.trials):
        trial = study.ask()
        name = trial.suggest_categorical("source", list(sources))
        lr = trial.suggest_float("lr", *spec.search.lr, log=True)
        depths = [0] if sources[name].kind == "scratch" else list(range(num_stages(sources[name].arch) + 1))
        depth = trial.suggest_categorical(f"freeze_depth_{len(depths)}", depths)
        curve = curve_of(table, Point(name, int(depth), lr, 0.0, len(depths) == 1))
        yield from _trained(curve, spec.search.epochs)
        if len(curve) == spec.search.epochs:
            study.tell(trial, curve[-1][0])
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)


def asha(table: Table, spec: StudySpec, sources: Mapping[str, Source]) -> Iterator[Epoch]:
    """Random points under the rule of Ray's ASHAScheduler, with the rungs of our race.

    At a rung a trial stops where it is worse than the best part of those that came there before.
    """
    search = spec.search
    seen: dict[int, list[float]] = {
        rung: [] for rung in rungs(search.epochs, search.grace_epochs, search.reduction_factor)[:-1]
    }
    for point in _random_points(spec, sources):
        curve = curve_of(table, point)
        for epoch, (error, _, seconds) in enumerate(curve, 1):
            yield seconds, error if epoch == search.epochs else None
            if epoch in seen:
                before, seen[epoch] = seen[epoch], [*seen[epoch], error]
                if before and error > np.percentile(before, 100 / search.reduction_factor):
                    break


def race(proposals: Proposals, table: Table, spec: StudySpec) -> Iterator[Epoch]:
    """Our search, one trial at a time; its replay of the winner, which finds nothing new, is left out."""
    search = spec.search
    stops = rungs(search.epochs, search.grace_epochs, search.reduction_factor)
    contest = Race(proposals, generations(search), stops, search.reduction_factor, _alone)
    while heat := contest.next_heat():
        (one,) = heat.contestants
        curve = curve_of(table, one.point)
        for epoch in range(len(contest.standings.curve(one)) + 1, heat.until + 1):
            if epoch > len(curve):
                contest.standings.take({"run": one.run, "epoch": epoch, "val_error": 1.0, "reason": "it diverged"})
                break
            contest.standings.take(_row(one, epoch, curve))
            error, _, seconds = curve[epoch - 1]
            yield seconds, error if epoch == search.epochs else None
        contest.close(heat)


def race_alone(table: Table, spec: StudySpec, sources: Mapping[str, Source]) -> Iterator[Epoch]:
    """Our search without any prior."""
    return race(OptunaProposals(spec, dict(sources)), table, spec)


def curve_of(table: Table, point: Point) -> Curve:
    """The curve of the grid's nearest trial."""
    rate = min(RATES, key=lambda rate: abs(math.log(rate / point.lr)))
    cell: Cell = (point.source, point.freeze_depth, rate)
    return table[cell]


def _random_points(spec: StudySpec, sources: Mapping[str, Source]) -> Iterator[Point]:
    draw = generator(spec.seed, "random search")
    for _ in range(spec.search.trials):
        name = str(draw.choice(list(sources)))
        is_scratch = sources[name].kind == "scratch"
        depth = 0 if is_scratch else int(draw.integers(num_stages(sources[name].arch) + 1))
        lr = math.exp(draw.uniform(*np.log(spec.search.lr)))
        yield Point(name, depth, lr, 0.0, is_scratch)


def _trained(curve: Curve, length: int) -> Iterator[Epoch]:
    for epoch, (error, _, seconds) in enumerate(curve, 1):
        yield seconds, error if epoch == length else None


def _alone(contestants: Sequence[Contestant]) -> list[tuple[Contestant, ...]]:
    return [(one,) for one in contestants]


def _row(contestant: Contestant, epoch: int, curve: Curve) -> Row:
    error, loss, _ = curve[epoch - 1]
    return {"run": contestant.run, "epoch": epoch, "val_error": error, "val_loss": loss}
