"""Confidence intervals of errors: over examples, over seeds, and over both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.stats import binomtest, norm
from scipy.stats import t as student

CONFIDENCE = 0.95
#: Of fewer seeds no interval means anything: Student's quantile of two is 12.7.
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def wilson(num_errors: int, num: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of one model's error, from its errors on ``num`` independent examples.

    Args:
        num_errors: The number of wrong predictions, in [0, num].
        num: The number of examples, at least 1.
        confidence: The coverage aimed at, in (0, 1).

    Source: Wilson, JASA 22 (1927) 209-212, without continuity correction.
    """
    ends = binomtest(num_errors, num).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(float(ends.low), float(ends.high))


def one_model(errors_N: np.ndarray, pictures_N: np.ndarray | None = None) -> Interval:
    """Return the interval of one model's error: ``wilson``, and where pictures have copies ``crossed_wilson``.

    Args:
        errors_N: bool, shape (N,), N at least 1: where it is wrong.
        pictures_N: As ``by_picture``.
    """
    if pictures_N is None or len(np.unique(pictures_N)) == len(errors_N):
        return wilson(int(errors_N.sum()), len(errors_N))
    return crossed_wilson(errors_N[None], pictures_N=pictures_N)


def by_picture(values_SN: np.ndarray, pictures_N: np.ndarray | None) -> np.ndarray:
    """Return a value a seed and picture whose spread over pictures is that of the mean over examples.

    Copies of a picture are no independent examples. A picture's value is the mean over all plus what its copies
    together differ from it, on the scale of K pictures, so that each seed keeps its mean.

    Args:
        values_SN: float64, shape (S, N).
        pictures_N: int64, shape (N,): equal for copies of one picture; None where all differ.

    Returns:
        float64, shape (S, K).

    Source: the linearised ratio mean of cluster samples (Cochran, Sampling Techniques, 3rd edition 1977, section 6.3).
    """
    if pictures_N is None:
        return values_SN
    _, place_N = np.unique(pictures_N, return_inverse=True)
    mean, num = values_SN.mean(), int(place_N.max()) + 1
    sums = np.stack([np.bincount(place_N, values - mean, num) for values in values_SN])
    return np.asarray(mean + num / len(place_N) * sums)


def over_seeds(values: Sequence[float], least: float = -inf, most: float = inf) -> Interval | None:
    """Return Student's t interval of the mean over seeds, within the bounds of a value; None below three seeds."""
    num = len(values)
    if num < LEAST_SEEDS:
        return None
    half = student.ppf(0.5 + CONFIDENCE / 2, num - 1) * np.std(values, ddof=1) / sqrt(num)
    mean = float(np.mean(values))
    return Interval(max(least, mean - float(half)), min(most, mean + float(half)))


def half_width(values_SN: np.ndarray, confidence: float = CONFIDENCE, floor: float = 0.0) -> float:
    """Return half the width of the interval of a mean over seeds and examples, which are crossed random effects.

    One seed gives the interval over examples alone.

    Args:
        values_SN: float64, shape (S, N): one value a seed and example.
        confidence: The coverage aimed at, in (0, 1).
        floor: Added to the examples' part, so that a few equal values do not pass for certainty.

    Source: as ``summed_half_width``. Measured, with what was tried instead: docs/evaluation.md;
        tests/evaluate/test_coverage.py repeats it.
    """
    num_seeds, num = values_SN.shape
    examples, seeds = variance_parts(values_SN)
    return summed_half_width([(examples + floor, num - 1), (seeds, num_seeds - 1)], confidence)


def variance_parts(values_SN: np.ndarray) -> tuple[float, float]:
    """Return the parts of examples and of seeds in the variance of the mean of ``values_SN``, shape (S, N).

    Their interaction counts once, in the part of the seeds: 0 for one seed.

    Source: the mean squares of a two-way layout (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4).
    """
    num_seeds, num = values_SN.shape
    of_examples, of_seeds = values_SN.mean(axis=0), values_SN.mean(axis=1)
    examples = float(of_examples.var(ddof=1)) / num if num > 1 else 1.0
    if num_seeds == 1:
        return examples, 0.0
    rest_SN = values_SN - of_examples - of_seeds[:, None] + values_SN.mean()
    interaction = float((rest_SN**2).sum()) / ((num_seeds - 1) * max(num - 1, 1)) / values_SN.size
    return max(examples - interaction, 0.0), float(of_seeds.var(ddof=1)) / num_seeds


def summed_half_width(parts: Sequence[tuple[float, float]], confidence: float = CONFIDENCE) -> float:
    """Return half the width of an interval whose variance is a sum of parts: ``sum(t(df) v) / sqrt(sum(v))``.

    Args:
        parts: Each part's variance and its degrees of freedom; each has Student's quantile of its own.
        confidence: The coverage aimed at, in (0, 1).

    Source: Cochran, Biometrics 20 (1964) 191-195.
    """
    total = sum(variance for variance, _ in parts)
    pull = sum(_quantile(0.5 + confidence / 2, degrees) * variance for variance, degrees in parts)
    return float(pull / sqrt(total)) if total else 0.0


def crossed_wilson(
    errors_SN: np.ndarray, confidence: float = CONFIDENCE, pictures_N: np.ndarray | None = None
) -> Interval:
    """Return the interval of the error expected of a configuration, from several seeds' models on the same examples.

    Wilson's interval, with the number of independent predictions that would give ``half_width`` (never more than S * N,
    or S times the effective number of pictures) in place of N. So it stays within [0, 1], and no error in N examples
    does not mean 0.

    Args:
        errors_SN: bool, shape (S, N): where each seed's model is wrong.
        confidence: The coverage aimed at, in (0, 1).
        pictures_N: As ``by_picture``.

    Source: Korn & Graubard, Survey Methodology 24 (1998) 193-201 (effective sample size), with Wilson's form.
    """
    z, mean, values_SN = norm.ppf(0.5 + confidence / 2), float(errors_SN.mean()), errors_SN.astype(np.float64)
    num, half = _pictures_and_half_width(values_SN, pictures_N, confidence)
    known = half > 0 and 0 < mean < 1
    effective = min(len(errors_SN) * num, z**2 * mean * (1 - mean) / half**2) if known else num
    centre = (mean + z**2 / (2 * effective)) / (1 + z**2 / effective)
    spread = z / (1 + z**2 / effective) * sqrt(mean * (1 - mean) / effective + z**2 / (4 * effective**2))
    return Interval(max(0.0, float(centre - spread)), min(1.0, float(centre + spread)))


def _pictures_and_half_width(
    values_SN: np.ndarray, pictures_N: np.ndarray | None, confidence: float
) -> tuple[float, float]:
    """Return the effective number of pictures and the half width of the mean over all examples.

    With copies there is one pseudo-picture of mean weight on which one seed differs: few wrong pictures do not tell how
    much they count.

    Source: Kish, Survey Sampling, 1965, section 11.7 (effective number).
    """
    if pictures_N is None:
        return values_SN.shape[1], half_width(values_SN, confidence)
    copies_K = np.unique(pictures_N, return_counts=True)[1]
    num, effective = len(copies_K), len(pictures_N) ** 2 / float((copies_K**2).sum())
    floor = 1 / (len(values_SN) * num * effective)
    return effective, half_width(by_picture(values_SN, pictures_N), confidence, floor)


def _quantile(level: float, degrees: float) -> float:
    return float(student.ppf(level, max(degrees, 1)))
