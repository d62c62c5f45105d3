"""The verdict: transfer helped, hurt, or no difference is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.evaluation.intervals.interval import CONFIDENCE, LEAST_SEEDS, by_picture, half_width
from translearn.evaluation.intervals.paired import ExampleTest, SeedTest, over_examples, over_seeds
from translearn.evaluation.predictions import Predictions, comparable_faults

HELPED, HURT, NO_DIFFERENCE = "helped", "hurt", "no difference shown"


@dataclass(frozen=True)
class Verdict:
    """Transfer gain with its interval and verdict.

    Attributes:
        baseline: The role that transfer is compared with.
        gain: E(baseline) - E(transfer), in [-1, 1]; positive: transfer has the lower target error.
        low: Lower end of the interval of this comparison alone, of 95 %.
        high: Its upper end.
        family_low: Lower end of the interval that the verdict rests on.
        family_high: Its upper end.
        family_confidence: Its coverage: Bonferroni's, so that all comparisons of the family hold together at 95 %.
        verdict: ``"helped"`` (family_low > 0), ``"hurt"`` (family_high < 0) or ``"no difference shown"``.
        seeds: The seeds, each of which trained both.
        seed_gains: The gain of each seed.
        num_seeds: S.
        num_examples: N.
        examples_test: The paired test over examples, of these very models.
        seeds_test: The paired test over seeds.
        method: The construction of the interval, in words.
    """

    baseline: str
    gain: float
    low: float
    high: float
    family_low: float
    family_high: float
    family_confidence: float
    verdict: str
    seeds: tuple[int, ...]
    seed_gains: tuple[float, ...]
    num_seeds: int
    num_examples: int
    examples_test: ExampleTest
    seeds_test: SeedTest
    method: str


def transfer_gain(
    transfer: Sequence[Predictions], baseline: Sequence[Predictions], num_comparisons: int = 1
) -> Verdict:
    """Compute the gain in target error of transfer over a baseline, on the same examples and seeds.

    Args:
        transfer: The transferred models' predictions on test, one a seed.
        baseline: The baseline's predictions of the same examples, with the same seeds.
        num_comparisons: The number of verdicts given together, including this one; at least 1.

    Returns:
        The gain, with intervals that cover both new examples and new seeds (``interval.half_width``).

    Raises:
        InputError: Seeds or examples differ.

    Source: the variance over examples is that of paired proportions, with one pseudo-example on which one seed's pair
        disagrees, as by Agresti & Min, Statistics in Medicine 24 (2005) 729-740.
    """
    raise_faults(_pairing_faults(transfer, baseline))
    pairs = list(zip(_by_seed(transfer), _by_seed(baseline), strict=True))
    gains_SN = np.stack([b.errors.astype(np.float64) - t.errors for t, b in pairs])
    pictures = pairs[0][0].pictures
    family = 1 - (1 - CONFIDENCE) / num_comparisons
    (low, high), (family_low, family_high) = (gain_ends(gains_SN, one, pictures) for one in (CONFIDENCE, family))
    return Verdict(
        baseline=baseline[0].role,
        gain=float(gains_SN.mean()),
        low=low,
        high=high,
        family_low=family_low,
        family_high=family_high,
        family_confidence=family,
        verdict=verdict_of(family_low, family_high),
        seeds=tuple(t.seed for t, _ in pairs),
        seed_gains=tuple(gains_SN.mean(axis=1).tolist()),
        num_seeds=len(pairs),
        num_examples=gains_SN.shape[1],
        examples_test=over_examples(gains_SN, pictures),
        seeds_test=over_seeds(gains_SN.mean(axis=1)),
        method=method(len(pairs)),
    )


def method(num_seeds: int) -> str:
    """Return a description of the interval over this many seeds."""
    if num_seeds > 1:
        more = "" if num_seeds >= LEAST_SEEDS else f"; set refit.seeds to {LEAST_SEEDS} or more for a narrower one"
        return f"t interval over test pictures and {num_seeds} seeds (crossed random effects){more}"
    return "interval over test pictures only: one seed does not show how much seeds differ"


def gain_ends(
    gains_SN: np.ndarray, confidence: float = CONFIDENCE, pictures_N: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the interval of a gain that covers both new pictures and new seeds.

    Args:
        gains_SN: float64, shape (S, N): error of the baseline minus that of transfer, of each seed on each example.
        confidence: The coverage aimed at, in (0, 1).
        pictures_N: As ``interval.by_picture``.
    """
    values_SK = by_picture(gains_SN, pictures_N)
    num_seeds, num = values_SK.shape
    gain, half = float(gains_SN.mean()), half_width(values_SK, confidence, floor=1 / (num_seeds * num**2))
    return max(-1.0, gain - half), min(1.0, gain + half)


def verdict_of(low: float, high: float) -> str:
    """Return the verdict that an interval of a gain allows."""
    if low > 0:
        return HELPED
    return HURT if high < 0 else NO_DIFFERENCE


def _by_seed(predictions: Sequence[Predictions]) -> list[Predictions]:
    return sorted(predictions, key=lambda p: p.seed)


def _pairing_faults(transfer: Sequence[Predictions], baseline: Sequence[Predictions]) -> list[str]:
    seeds = [sorted(p.seed for p in group) for group in (transfer, baseline)]
    if seeds[0] != seeds[1] or not seeds[0]:
        value = f"{seeds[0]} for transfer and {seeds[1]} for the baseline"
        return [fault("transfer gain", "both must be trained with the same seeds", value, "Refit both alike.")]
    return comparable_faults("transfer gain", [*transfer, *baseline])
