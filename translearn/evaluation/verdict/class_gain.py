"""Transfer gain by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from translearn.evaluation.predictions import Predictions, subset
from translearn.evaluation.verdict.transfer import transfer_gain


def class_gains(
    transfer: Sequence[Predictions], baseline: Sequence[Predictions], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the transfer gain of each class that has a test example, the largest first.

    Args:
        transfer: The transferred models' predictions on test, one a seed.
        baseline: The baseline's, of the same examples, with the same seeds.
        classes: The C class names, in order of the labels.

    Returns:
        Rows of ``class, num, gain, low, high`` (95 %, of the class alone) and ``family_low, family_high, verdict``,
        corrected for the number of rows.
    """
    present = np.unique(transfer[0].labels).tolist()
    rows = [_row(transfer, baseline, label, classes[label], len(present)) for label in present]
    return sorted(rows, key=lambda row: -row["gain"])


def _row(
    transfer: Sequence[Predictions], baseline: Sequence[Predictions], label: int, name: str, num_classes: int
) -> dict[str, Any]:
    mine = np.flatnonzero(transfer[0].labels == label)
    gain = transfer_gain(
        [subset(p, mine) for p in transfer], [subset(p, mine) for p in baseline], num_comparisons=num_classes
    )
    ends = ("gain", "low", "high", "family_low", "family_high", "verdict")
    return {"class": name, "num": gain.num_examples, **{key: getattr(gain, key) for key in ends}}
