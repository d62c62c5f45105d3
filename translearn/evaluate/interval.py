"""Confidence intervals of errors: over examples, over seeds, and over both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import binomtest, norm
from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def wilson(num_errors: int, num: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of one model's error, from its errors on ``num`` independent examples.

    Args:
        num_errors: How many predictions are wrong, in [0, num].
        num: How many examples there are, at least 1.
        confidence: The coverage aimed at, in (0, 1).

    Source: Wilson, JASA 22 (1927) 209-212, without continuity correction.
    """
    ends = binomtest(num_errors, num).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(float(ends.low), float(ends.high))


def over_seeds(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Student's t interval of the mean over seeds; None for one seed, which tells nothing of their spread."""
    num = len(values)
    if num < 2:
        return None
    half = student.ppf(0.5 + confidence / 2, num - 1) * np.std(values, ddof=1) / sqrt(num)
    mean = float(np.mean(values))
    return Interval(mean - float(half), mean + float(half))


def half_width(values_SN: np.ndarray, confidence: float = CONFIDENCE, floor: float = 0.0) -> float:
    """Half the width of the interval of a mean over seeds and examples, which are crossed random effects.

    The variance of the per-example means (over N) and that of the per-seed means (over S) each get
    Student's quantile of their own, and are summed in quadrature:
    ``h**2 = t(N-1)**2 * v_examples + t(S-1)**2 * v_seeds``. It is exact where one of them dominates and
    wide in between, where it also counts their interaction twice. One seed gives ``v_examples`` alone.

    Args:
        values_SN: float64, shape (S, N): one value a seed and example.
        confidence: The coverage aimed at, in (0, 1).
        floor: Added to ``v_examples``, so that a few equal values do not pass for certainty.

    Source: Howe, JASA 69 (1974) 789-794 (limits of a sum from the limits of its parts). Satterthwaite's
        degrees of freedom for the summed variance were tried and covered 92 % with three seeds where seeds
        dominate; this covers 95 to 99 % (tests/evaluate/test_transfer.py).
    """
    num_seeds, num = values_SN.shape
    level = 0.5 + confidence / 2
    examples = values_SN.mean(axis=0).var(ddof=1) / num + floor if num > 1 else 1.0
    squared = _quantile(level, num - 1) ** 2 * examples
    if num_seeds > 1:
        squared += _quantile(level, num_seeds - 1) ** 2 * values_SN.mean(axis=1).var(ddof=1) / num_seeds
    return float(sqrt(squared))


def crossed_wilson(errors_SN: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the error expected of a configuration, from several seeds' models on the same examples.

    Wilson's interval, with the number of independent examples that would give ``half_width`` (never more
    than N) in place of N. So it stays within [0, 1], and no error in N examples does not mean 0.

    Args:
        errors_SN: bool, shape (S, N): where each seed's model is wrong.
        confidence: The coverage aimed at, in (0, 1).

    Source: Korn & Graubard, Survey Methodology 24 (1998) 193-201 (effective sample size), with Wilson's form.
    """
    z, num, mean = norm.ppf(0.5 + confidence / 2), errors_SN.shape[1], float(errors_SN.mean())
    half = half_width(errors_SN.astype(np.float64), confidence)
    known = half > 0 and 0 < mean < 1
    effective = min(num, z**2 * mean * (1 - mean) / half**2) if known else num
    centre = (mean + z**2 / (2 * effective)) / (1 + z**2 / effective)
    spread = z / (1 + z**2 / effective) * sqrt(mean * (1 - mean) / effective + z**2 / (4 * effective**2))
    return Interval(max(0.0, float(centre - spread)), min(1.0, float(centre + spread)))


def _quantile(level: float, degrees: int) -> float:
    return float(student.ppf(level, max(degrees, 1)))
