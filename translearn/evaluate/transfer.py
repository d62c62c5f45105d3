"""The verdict: did transfer help, hurt, or is no difference shown?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.evaluate.interval import CONFIDENCE, half_width
from translearn.evaluate.predictions import Predictions, comparable_faults

HELPED, HURT, NO_DIFFERENCE = "helped", "hurt", "no difference shown"


@dataclass(frozen=True)
class Verdict:
    """Transfer gain with its interval.

    Attributes:
        gain: E(scratch) - E(transfer), in [-1, 1]; positive: transfer has the lower target error.
        low: Lower end of the interval.
        high: Upper end of the interval.
        verdict: ``"helped"`` (low > 0), ``"hurt"`` (high < 0) or ``"no difference shown"``.
        seeds: The seeds, each of which trained both.
        seed_gains: The gain of each seed.
        num_seeds: S.
        num_examples: N.
        method: How the interval was made, in words.
    """

    gain: float
    low: float
    high: float
    verdict: str
    seeds: tuple[int, ...]
    seed_gains: tuple[float, ...]
    num_seeds: int
    num_examples: int
    method: str


def transfer_gain(
    transfer: Sequence[Predictions], scratch: Sequence[Predictions], confidence: float = CONFIDENCE
) -> Verdict:
    """How much lower the target error is with transfer than from scratch, on the same examples and seeds.

    Args:
        transfer: The transferred models' predictions on test, one a seed.
        scratch: The scratch models' predictions of the same examples, with the same seeds.
        confidence: The coverage aimed at, in (0, 1).

    Returns:
        The gain, with an interval that covers both new examples and new seeds (``interval.half_width``).

    Raises:
        InputError: Seeds or examples differ.

    Source: the variance over examples is that of paired proportions, with one pseudo-example of
        disagreement in each direction shared out as by Agresti & Min, Statistics in Medicine 24 (2005) 729-740.
    """
    raise_faults(_pairing_faults(transfer, scratch))
    pairs = list(zip(_by_seed(transfer), _by_seed(scratch), strict=True))
    gains_SN = np.stack([s.errors.astype(np.float64) - t.errors for t, s in pairs])
    gain, num = float(gains_SN.mean()), gains_SN.shape[1]
    half = half_width(gains_SN, confidence, floor=1 / num**2)
    low, high = max(-1.0, gain - half), min(1.0, gain + half)
    seeds, seed_gains = tuple(t.seed for t, _ in pairs), tuple(gains_SN.mean(axis=1).tolist())
    return Verdict(gain, low, high, _verdict(low, high), seeds, seed_gains, len(pairs), num, method(len(pairs)))


def method(num_seeds: int) -> str:
    """What an interval over this many seeds takes into account, in words."""
    if num_seeds > 1:
        return f"t interval over test examples and {num_seeds} seeds (crossed random effects)"
    return "interval over test examples only: one seed does not show how much seeds differ"


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return HELPED
    return HURT if high < 0 else NO_DIFFERENCE


def _by_seed(predictions: Sequence[Predictions]) -> list[Predictions]:
    return sorted(predictions, key=lambda p: p.seed)


def _pairing_faults(transfer: Sequence[Predictions], scratch: Sequence[Predictions]) -> list[str]:
    seeds = [sorted(p.seed for p in group) for group in (transfer, scratch)]
    if seeds[0] != seeds[1] or not seeds[0]:
        value = f"{seeds[0]} for transfer and {seeds[1]} for scratch"
        return [fault("transfer gain", "both must be trained with the same seeds", value, "Refit both alike.")]
    return comparable_faults("transfer gain", [*transfer, *scratch])
