"""Paired tests of a gain: over examples, exactly, and over seeds; and Holm's correction for several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.signal import convolve
from scipy.stats import binom, permutation_test, ttest_1samp


@dataclass(frozen=True)
class ExampleTest:
    """Result of the test that these models differ, beyond the choice of test examples.

    Attributes:
        p: Two-sided, exact.
        num_better: Pictures that transfer gets right more often, over their copies and the seeds.
        num_worse: Pictures that the baseline gets right more often.
        p_holm: ``p`` corrected for the family's comparisons; None before.
    """

    p: float
    num_better: int
    num_worse: int
    p_holm: float | None = None


@dataclass(frozen=True)
class SeedTest:
    """Result of the test that the gain holds for new seeds, on these examples.

    Attributes:
        p: Two-sided, of Student's t test; None for one seed, and where all seeds gain the same.
        exact_p: Two-sided, of flipping the signs of the seeds' gains, exact; None for one seed.
        least_exact_p: The smallest ``exact_p`` that so many seeds can give: above 0.05 the exact test has no power.
        p_holm: ``p`` corrected for the family's comparisons; None before.
    """

    p: float | None
    exact_p: float | None
    least_exact_p: float | None
    p_holm: float | None = None


def over_examples(gains_SN: np.ndarray, pictures_N: np.ndarray | None = None) -> ExampleTest:
    """Run the exact sign-flip test over examples of the summed gains; for one seed, McNemar's exact test.

    Seeds share their examples, so their tests are not independent and may not be multiplied. Here a picture counts
    once, with what all seeds together gained on its copies: under the null hypothesis that sum is as likely negative.

    Args:
        gains_SN: Shape (S, N), in {-1, 0, 1}: baseline wrong minus transfer wrong, of each seed and example.
        pictures_N: As ``interval.by_picture``.

    Source: McNemar, Psychometrika 12 (1947) 153-157, exact form; for S > 1 Fisher's randomisation test (The Design of
        Experiments, 1935, section 21).
    """
    sums = np.rint(gains_SN.sum(axis=0)).astype(np.int64)
    if pictures_N is not None:
        sums = np.rint(np.bincount(np.unique(pictures_N, return_inverse=True)[1], sums)).astype(np.int64)
    better, worse = int((sums > 0).sum()), int((sums < 0).sum())
    return ExampleTest(_flip_p(sums[sums != 0]), better, worse)


def over_seeds(seed_gains: np.ndarray) -> SeedTest:
    """Run Student's t test and the exact sign-flip test that the seeds' gains have mean 0.

    Args:
        seed_gains: float64, shape (S,).
    """
    num = len(seed_gains)
    if num < 2:
        return SeedTest(None, None, None)
    spread = float(np.std(seed_gains))
    p = float(ttest_1samp(seed_gains, 0.0).pvalue) if spread > 1e-12 else None
    exact = permutation_test((seed_gains, np.zeros(num)), _mean_difference, permutation_type="samples", vectorized=True)
    return SeedTest(p, float(exact.pvalue), 2.0 ** (1 - num))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number; None stays, and does not count.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    given = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(given):
        largest = max(largest, min(1.0, (len(given) - rank) * p))
        corrected[place] = largest
    return corrected


def _mean_difference(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(a.mean(axis=axis) - b.mean(axis=axis))


def _flip_p(sums: np.ndarray) -> float:
    """Return the chance that random signs of these sums give a total at least as far from 0."""
    if not len(sums):
        return 1.0
    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    # The total is 2 * (what is positive) - (all): so the chances of each possible positive part.
    parts = [_chances(int(size), int(count)) for size, count in zip(sizes, counts, strict=True)]
    chances = reduce(convolve, parts)
    whole = int(np.abs(sums).sum())
    totals = 2 * np.arange(whole + 1) - whole
    p = float(chances[np.abs(totals) >= abs(int(sums.sum()))].sum())
    return min(1.0, max(p, 2.0 ** (1 - min(len(sums), 1000))))  # convolution by FFT may lose the smallest to rounding


def _chances(size: int, count: int) -> np.ndarray:
    """Return the chance of each sum of those of ``count`` numbers, all of this size, whose sign is positive."""
    chances = np.zeros(size * count + 1)
    chances[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
    return chances
