"""Scorer report card: did the transferability scores rank this pool better than a static ranker?"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from translearn import seeds
from translearn.errors import fault, raise_faults
from translearn.ranking.measures import regret, rel_at_1, weighted_tau

_LEVEL = 0.95
#: Of fewer sources most resamples hold one or two, and the interval of a perfect order has no width.
_FEWEST = 4


@dataclass(frozen=True)
class Estimate:
    """A value with the bounds of its 95 % bootstrap interval; None where there are too few sources for one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RankerRow:
    """The quality of a ranker's order of the pool.

    ``is_static``: it never looked at the target; ``claims``: the conclusion may rest on it.
    """

    name: str
    is_static: bool
    claims: bool
    weighted_tau: Estimate
    rel_at_1: Estimate
    regret: Estimate


@dataclass(frozen=True)
class ReportCard:
    """Every ranker's row, best weighted tau first, and the conclusion.

    Attributes:
        rows: One a ranker, scores and static rankers.
        beats_static: Whether the best score is shown to beat the best static ranker; None without either.
        sentence: The same in words, with the numbers.
    """

    rows: tuple[RankerRow, ...]
    beats_static: bool | None
    sentence: str


def report_card(
    scores: Mapping[str, Sequence[float] | np.ndarray],
    static: Mapping[str, Sequence[float] | np.ndarray],
    errors: Sequence[float] | np.ndarray,
    *,
    claiming: Collection[str] | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
) -> ReportCard:
    """Evaluate scores and static rankers against the true target errors of a pool of sources.

    Intervals are percentile bootstraps over sources, with the same resamples for every ranker, so that
    the difference to the best static ranker is a paired one; its level is corrected for the number of
    scores (Bonferroni), as the best of them is compared. Of few sources a bootstrap is far too sure: nothing is claimed
    where a score without any skill, one of so many, has the best order with a chance of more than 2.5 %.

    Args:
        scores: Name of a score to its values, one a source, higher is better. Leave out a score that
            does not apply to every source.
        static: The same for rankers that never look at the target: source accuracy, parameter count.
        errors: Target errors in [0, 1], one a source, in the same order; at least 2.
        claiming: The scores on which the conclusion may rest, named before the errors were known; None for all. Others
            are shown alone: the more are tried, the more the best of them must show.
        num_resamples: Bootstrap resamples, at least 100.
        seed: The study's seed.

    Raises:
        InputError: lengths differ, a value is not finite, an error is outside [0, 1], a name is in both,
            too few resamples.
    """
    pool = {name: np.asarray(column, dtype=np.float64) for name, column in {**scores, **static}.items()}
    truth = np.asarray(errors, dtype=np.float64)
    faults = _faults(pool, truth, sorted(set(scores) & set(static)))
    if num_resamples < 100:
        faults.append(fault("num_resamples", "must be at least 100", num_resamples, ""))
    raise_faults(faults)
    resamples = _resamples(len(truth), num_resamples, seed)
    taus = {name: _measured(weighted_tau, column, truth, resamples) for name, column in pool.items()}
    may = set(scores) if claiming is None else set(claiming) & set(scores)
    rows = [_row(name, (name in static, name in may), pool[name], truth, taus[name], resamples) for name in pool]
    rows.sort(key=lambda row: -row.weighted_tau.value)
    beats, sentence = _conclusion(rows, taus, len(truth))
    return ReportCard(tuple(rows), beats, sentence)


Measure = Callable[[np.ndarray, np.ndarray], float]


def _resamples(num: int, num_resamples: int, seed: int) -> np.ndarray:
    """Return rows of resampled sources, (R, S), without those that drew a single source, which rank nothing."""
    drawn = seeds.generator(seed, "report_card").integers(0, num, size=(num_resamples, num))
    several: np.ndarray = drawn[np.ptp(drawn, axis=1) > 0]
    return several


def _measured(measure: Measure, column: np.ndarray, truth: np.ndarray, resamples: np.ndarray) -> np.ndarray:
    """Return the measure on the pool, then on each resample."""
    return np.array([measure(column, truth), *(measure(column[rows], truth[rows]) for rows in resamples)])


def _estimate(values: np.ndarray, num: int, tail: float = (1 - _LEVEL) / 2) -> Estimate:
    if num < _FEWEST:
        return Estimate(float(values[0]), None, None)
    low, high = np.quantile(values[1:], [tail, 1 - tail])
    return Estimate(float(values[0]), float(low), float(high))


def _row(
    name: str,
    marks: tuple[bool, bool],
    column: np.ndarray,
    truth: np.ndarray,
    taus: np.ndarray,
    resamples: np.ndarray,
) -> RankerRow:
    num = len(truth)
    rel, lost = (_estimate(_measured(measure, column, truth, resamples), num) for measure in (rel_at_1, regret))
    return RankerRow(name, *marks, _estimate(taus, num), rel, lost)


def _conclusion(rows: list[RankerRow], taus: dict[str, np.ndarray], num: int) -> tuple[bool | None, str]:
    score = next((row for row in rows if row.claims), None)
    static = next((row for row in rows if row.is_static), None)
    if score is None or static is None:
        missing = "score" if score is None else "static ranker"
        return None, f"There is no {missing} to compare with, on {num} sources."
    num_scores = sum(row.claims for row in rows)
    gain = _estimate(taus[score.name] - taus[static.name], num, (1 - _LEVEL) / 2 / num_scores)
    numbers = (
        f"weighted tau {score.weighted_tau.value:.2f} of {score.name} against {static.weighted_tau.value:.2f} "
        f"of {static.name}, difference {gain.value:.2f}{_interval(gain, num_scores)}, {num} sources"
    )
    if math.factorial(num) * (1 - _LEVEL) / 2 < num_scores:
        return False, f"Too few sources to show that a score beats the static ranker here: {numbers}."
    if gain.low is not None and gain.low > 0:
        return True, f"The score {score.name} beat the best static ranker here: {numbers}."
    return False, f"No score beat the static ranker here: {numbers}."


def _interval(gain: Estimate, num_scores: int) -> str:
    """Return the interval in words, with the level that it really has."""
    if gain.low is None:
        return ""
    level, corrected = 100 * (1 - (1 - _LEVEL) / num_scores), f", corrected for {num_scores} scores"
    return f" ({level:.3g} % interval {gain.low:.2f} to {gain.high:.2f}{corrected if num_scores > 1 else ''})"


def _faults(pool: dict[str, np.ndarray], truth: np.ndarray, shared: list[str]) -> list[str]:
    faults = [fault("static", "must not have the name of a score", repr(name), "") for name in shared]
    if truth.ndim != 1 or len(truth) < 2 or not ((truth >= 0) & (truth <= 1)).all():
        rule = "must be at least 2 numbers in [0, 1]"
        faults.append(fault("errors", rule, truth.tolist(), "Divide per cent by 100."))
    for name, column in pool.items():
        if column.shape != truth.shape or not np.isfinite(column).all():
            rule = f"must have a finite value for each of the {truth.size} sources"
            faults.append(fault(name, rule, column.tolist(), "Leave out a score that does not apply to all."))
    return faults
