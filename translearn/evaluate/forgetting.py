"""Forgetting: how much the source error rises when the source model is fine-tuned for the target."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.evaluate.interval import half_width, wilson


def forgetting(before_errors: np.ndarray, after_errors: np.ndarray) -> dict[str, Any]:
    """Source error before and after fine-tuning, on the same source examples.

    Args:
        before_errors: bool, shape (N,): where the source model is wrong.
        after_errors: bool, shape (N,): where the fine-tuned stages are, with the source's head.

    Returns:
        ``num_examples`` and, each with ``value, low, high``: ``before``, ``after`` (Wilson) and ``rise``
        (after - before, in [-1, 1]; positive: forgotten; the interval is paired, over examples).

    Raises:
        InputError: The two are not of the same examples.
    """
    if before_errors.shape != after_errors.shape or not before_errors.size:
        value = f"{before_errors.shape} before and {after_errors.shape} after"
        remedy = "Predict one split with both."
        raise_faults([fault("forgetting", "both must be of the same examples, at least 1", value, remedy)])
    return {
        "num_examples": len(before_errors),
        "before": _counted(before_errors),
        "after": _counted(after_errors),
        "rise": _rise(after_errors.astype(np.float64) - before_errors),
    }


def _counted(errors: np.ndarray) -> dict[str, float]:
    return {"value": float(errors.mean()), **asdict(wilson(int(errors.sum()), len(errors)))}


def _rise(rises: np.ndarray) -> dict[str, float]:
    value, half = float(rises.mean()), half_width(rises[None], floor=1 / len(rises) ** 2)
    return {"value": value, "low": max(-1.0, value - half), "high": min(1.0, value + half)}
