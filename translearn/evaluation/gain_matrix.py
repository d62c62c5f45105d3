"""Gains of every source on every target with simultaneous intervals, and differences between both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import hypot
from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import (
    CONFIDENCE,
    by_picture,
    crossed_wilson,
    summed_half_width,
    variance_parts,
)
from translearn.evaluation.intervals.moderated import moderated
from translearn.evaluation.verdict.transfer import verdict_of


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of a source, or of scratch, on a target's test split.

    Attributes:
        target: The target's name.
        data: The fingerprint of its data set.
        source: The source's name.
        arch: Its architecture.
        is_scratch: True for scratch.
        source_data: The fingerprint of the data set that the source was trained on; None where it is not known.
        trial: The configuration that was refitted: ``freeze_depth``, ``lr``, ``weight_decay``.
        errors: Of each refit, by its seed: bool, shape (N,), where it is wrong on the target's test split.
        leaks: The numbers of the target's test images that the source was trained on: exact, and further near
            duplicates; None where they are not known.
        test_reads: The number of times that the target's test split was read.
        pictures: int64, shape (N,): equal for copies of one picture; None where all differ.
    """

    target: str
    data: str
    source: str
    arch: str
    is_scratch: bool
    source_data: str | None
    trial: dict[str, Any]
    errors: dict[int, np.ndarray]
    leaks: tuple[int, int] | None = None
    test_reads: int = 1
    pictures: np.ndarray | None = None

    @property
    def stacked(self) -> np.ndarray:
        """bool, shape (S, N)."""
        return np.stack([self.errors[seed] for seed in sorted(self.errors)])


@dataclass(frozen=True)
class _Gain:
    """Transfer gain of a pair, with the parts of its variance and their degrees of freedom."""

    found: Outcome
    scratch: Outcome
    value: float
    parts: tuple[tuple[float, float], ...]

    def ends(self, confidence: float) -> tuple[float, float]:
        half = summed_half_width(self.parts, confidence)
        return max(-1.0, self.value - half), min(1.0, self.value + half)


@dataclass(frozen=True)
class Asymmetry:
    """Difference of the gains between two tasks in both directions.

    Attributes:
        first: A target that a source was trained on.
        second: The other one.
        difference: Gain of the first's source on the second, minus gain of the second's source on the first.
        low: Lower end of its interval.
        high: The upper end. All such intervals of the matrix hold together at 95 %.
        forward: The source from the first.
        backward: The source from the second.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    forward: str
    backward: str


def gain_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return a row a target and source: gain over scratch of the same architecture, with intervals and verdict.

    A source without its scratch has no row.

    Intervals are those of ``transfer.transfer_gain``, with seeds' variances that tell of each other (``moderated``).
    Verdicts, and ``family_low`` to ``family_high``, hold together at 95 % for all pairs of the matrix (Bonferroni).
    ``is_own_data`` marks a source that was trained on the target's own data set: no transfer, and a leak. ``num_exact``
    and ``num_near`` count test images that it was trained on, whatever the set; None where that is not known.
    """
    gains = _gains(outcomes)
    return [_row(gain, len(gains)) for gain in gains]


def asymmetries(outcomes: Sequence[Outcome]) -> list[Asymmetry]:
    """Compare both directions of every two targets, where sources were trained on both and have one architecture.

    The interval of a difference of independent estimates is made from theirs.

    Source: Zou & Donner, Statistics in Medicine 27 (2008) 1693-1702, equation 9 (MOVER).
    """
    both = list(_directions(_gains(outcomes)))
    return [_asymmetry(there, back, _confidence(len(both))) for there, back in both]


def _gains(outcomes: Sequence[Outcome]) -> list[_Gain]:
    scratch = {(one.target, one.arch): one for one in outcomes if one.is_scratch}
    compared = [one for one in outcomes if not one.is_scratch and (one.target, one.arch) in scratch]
    pairs = [(one, scratch[one.target, one.arch]) for one in compared]
    values = [by_picture(base.stacked.astype(np.float64) - found.stacked, found.pictures) for found, base in pairs]
    examples, seeds = zip(*map(variance_parts, values), strict=True) if values else ((), ())
    num_seeds = len(values[0]) if values else 1
    drawn, degrees = moderated(np.array(seeds), num_seeds - 1) if num_seeds > 1 else (seeds, 0.0)
    return [
        _Gain(
            *pair,
            float(gains_SN.mean()),
            ((of_examples + _floor(gains_SN), gains_SN.shape[1] - 1), (of_seeds, degrees)),
        )
        for pair, gains_SN, of_examples, of_seeds in zip(pairs, values, examples, drawn, strict=True)
    ]


def _floor(gains_SN: np.ndarray) -> float:
    """Return the variance of one pseudo-example on which one seed's pair disagrees, as in ``transfer_gain``."""
    num_seeds, num = gains_SN.shape
    return float(1 / (num_seeds * num**2))


def _confidence(num: int) -> float:
    return 1 - (1 - CONFIDENCE) / num


def _row(gain: _Gain, num: int) -> dict[str, Any]:
    found, (low, high) = gain.found, gain.ends(CONFIDENCE)
    family_low, family_high = gain.ends(_confidence(num))
    return {
        "target": found.target,
        "source": found.source,
        "arch": found.arch,
        **{key: found.trial[key] for key in ("freeze_depth", "lr", "weight_decay")},
        "gain": gain.value,
        "low": low,
        "high": high,
        "family_low": family_low,
        "family_high": family_high,
        "verdict": verdict_of(family_low, family_high),
        **_error("error", found),
        **_error("scratch_error", gain.scratch),
        "num_seeds": found.stacked.shape[0],
        "num_examples": found.stacked.shape[1],
        "num_comparisons": num,
        "is_own_data": found.source_data == found.data,
        **dict(zip(("num_exact", "num_near"), found.leaks or (None, None), strict=True)),
        "test_reads": found.test_reads,
    }


def _error(name: str, of: Outcome) -> dict[str, float]:
    interval = crossed_wilson(of.stacked, CONFIDENCE, of.pictures)
    return {name: float(of.stacked.mean()), f"{name}_low": interval.low, f"{name}_high": interval.high}


def _directions(gains: Sequence[_Gain]) -> Iterator[tuple[_Gain, _Gain]]:
    """Yield each two gains of which either's source was trained on the other's target."""
    for one, other in combinations(gains, 2):
        a, b = one.found, other.found
        if (a.data, b.data) == (b.source_data, a.source_data) and a.arch == b.arch and a.data != b.data:
            yield other, one


def _asymmetry(there: _Gain, back: _Gain, confidence: float) -> Asymmetry:
    difference = there.value - back.value
    (low, high), (back_low, back_high) = there.ends(confidence), back.ends(confidence)
    return Asymmetry(
        first=back.found.target,
        second=there.found.target,
        difference=difference,
        low=difference - hypot(there.value - low, back_high - back.value),
        high=difference + hypot(high - there.value, back.value - back_low),
        forward=there.found.source,
        backward=back.found.source,
    )
