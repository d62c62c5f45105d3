"""The least a classifier can do: always answer the most frequent class. Scratch must show that it learned more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import one_model
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.verdict.transfer import gain_ends


def most_frequent(num_per_class: Sequence[int], test: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """Return the figures of always answering the class with the most training examples; the first on a tie.

    Args:
        num_per_class: Training examples of each of the C classes.
        test: Predictions of any model on test, for its labels.
        classes: The C class names, in order of the labels.

    Returns:
        ``class``; ``error`` on test with ``low, high``; ``balanced_error``, which is 1 - 1/C over the classes in test.
    """
    label = int(np.argmax(num_per_class))
    present, errors = np.unique(test.labels), test.labels != label
    return {
        "class": classes[label],
        "error": float(errors.mean()),
        **asdict(one_model(errors, test.pictures)),
        "balanced_error": float(np.mean(present != label)),
    }


def learned(num_per_class: Sequence[int], scratch: Sequence[Predictions]) -> dict[str, Any]:
    """Test whether scratch learned anything: its error against that of the most frequent class.

    Args:
        num_per_class: As above.
        scratch: Its models' predictions on test, one a seed, trained with all the steps that it had.

    Returns:
        ``gain``, the error of the most frequent class minus that of scratch, with ``low, high`` over test pictures and
        seeds; ``learned``: whether the interval lies above 0.
    """
    label = int(np.argmax(num_per_class))
    gains_SN = np.stack([(p.labels != label).astype(np.float64) - p.errors for p in scratch])
    low, high = gain_ends(gains_SN, pictures_N=scratch[0].pictures)
    return {"gain": float(gains_SN.mean()), "low": low, "high": high, "learned": low > 0}


def is_unequal(labels: np.ndarray) -> bool:
    """Return whether the largest class has at least half as many examples more than the smallest."""
    nums = np.unique(labels, return_counts=True)[1]
    return bool(nums.max() >= 1.5 * nums.min())
