"""Forgetting: the rise of the source error when the source model is fine-tuned for the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.evaluation.intervals.interval import half_width, wilson


def forgetting(before_errors: np.ndarray, after_errors: np.ndarray) -> dict[str, Any]:
    """Compare the source error before and after fine-tuning, on the same source examples.

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


@dataclass(frozen=True, eq=False)
class DepthErrors:
    """Errors of one freeze depth on both tasks.

    Attributes:
        freeze_depth: The number of frozen stages.
        lr: The learning rate of the run.
        num_wrong: Errors on the target's validation split.
        num_val: Examples in it.
        source_errors: bool, shape (N,): where the fine-tuned stages are wrong, with the source's head.
    """

    freeze_depth: int
    lr: float
    num_wrong: int
    num_val: int
    source_errors: np.ndarray


def forgetting_by_depth(before_errors: np.ndarray, depths: Sequence[DepthErrors]) -> dict[str, Any]:
    """Compare target and source errors of several freeze depths, and mark the Pareto front.

    Args:
        before_errors: bool, shape (N,): where the source model is wrong.
        depths: A run each, on the same N source examples.

    Returns:
        ``before`` (``value, low, high``) and ``depths``, a row each: ``freeze_depth``, ``lr``; ``target`` (error on
        validation) and ``source``, each ``value, low, high`` (Wilson); ``rise`` of the source error, as ``forgetting``;
        ``is_on_front``: no other depth has both errors at most as high and one lower (Pareto).
    """
    rows = [_depth_row(before_errors, one) for one in depths]
    points = [(row["target"]["value"], row["source"]["value"]) for row in rows]
    for row, point in zip(rows, points, strict=True):
        row["is_on_front"] = not any(other != point and _is_below(other, point) for other in points)
    return {"before": _counted(before_errors), "depths": rows}


def _depth_row(before_errors: np.ndarray, one: DepthErrors) -> dict[str, Any]:
    found = forgetting(before_errors, one.source_errors)
    target = {"value": one.num_wrong / one.num_val, **asdict(wilson(one.num_wrong, one.num_val))}
    depth = {"freeze_depth": one.freeze_depth, "lr": one.lr}
    return {**depth, "target": target, "source": found["after"], "rise": found["rise"]}


def _is_below(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether neither error of the first is above the second's."""
    return one[0] <= other[0] and one[1] <= other[1]


def _counted(errors: np.ndarray) -> dict[str, float]:
    return {"value": float(errors.mean()), **asdict(wilson(int(errors.sum()), len(errors)))}


def _rise(rises: np.ndarray) -> dict[str, float]:
    value, half = float(rises.mean()), half_width(rises[None], floor=1 / len(rises) ** 2)
    return {"value": value, "low": max(-1.0, value - half), "high": min(1.0, value + half)}
