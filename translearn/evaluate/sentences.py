"""The closing lines of a study, in plain language."""

from __future__ import annotations

from typing import Any

from translearn.evaluate.predictions import TRANSFER
from translearn.evaluate.transfer import HELPED, HURT

_CLAIMS = {
    HELPED: "Transfer helped: the target error is {size} points lower than from scratch",
    HURT: "Transfer hurt: the target error is {size} points higher than from scratch",
}
_NO_CLAIM = "No difference shown: transfer gained {gain} points over scratch"


def sentence(evaluation: dict[str, Any]) -> list[str]:
    """What a study found, a line a finding: target error, winner, transfer gain.

    Args:
        evaluation: What ``summary.evaluate`` returned.

    Returns:
        Lines without a trailing newline; errors in percent, gains in percentage points.
    """
    return [_target(evaluation), _winner(evaluation), verdict_sentence(evaluation["transfer"])]


def verdict_sentence(transfer: dict[str, Any]) -> str:
    """The verdict in one line."""
    claim = _CLAIMS.get(transfer["verdict"], _NO_CLAIM)
    text = claim.format(size=f"{100 * abs(transfer['gain']):.1f}", gain=f"{100 * transfer['gain']:+.1f}")
    low, high = 100 * transfer["low"], 100 * transfer["high"]
    return f"{text} (95 % interval of the gain {low:+.1f} to {high:+.1f}, {_extent(transfer)})."


def _target(evaluation: dict[str, Any]) -> str:
    target = evaluation["target"]
    interval = f"95 % interval {100 * target['low']:.1f} to {100 * target['high']:.1f}"
    extent = f"{evaluation['num_test']} test examples, {_seeds(len(target['models']))}"
    return f"Target error: {100 * target['error']:.1f} % ({interval}; {extent})."


def _winner(evaluation: dict[str, Any]) -> str:
    winner = evaluation["winner"]
    setting = f"{winner['source']}, freeze depth {winner['freeze_depth']}, learning rate {winner['lr']:.2g}"
    if winner["role"] == TRANSFER:
        return f"Winner: {setting}."
    beaten = evaluation["configurations"][TRANSFER]["trial"]["source"]
    return f"Winner: {setting}: its validation error is lower than that of the best transfer, from {beaten}."


def _extent(transfer: dict[str, Any]) -> str:
    return f"{transfer['num_examples']} test examples, {_seeds(transfer['num_seeds'])}"


def _seeds(num: int) -> str:
    return "1 seed" if num == 1 else f"{num} seeds"
