"""Error by number of training labels, and the worth of a source in labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import over_seeds

AT_MOST, MORE_THAN = "at most", "more than"


@dataclass(frozen=True)
class LabelPoint:
    """Runs with so many labels.

    Attributes:
        num_labels: Of training.
        errors: Validation error of each run, by draw; at the point with all labels, of each refit.
    """

    num_labels: int
    errors: Sequence[float]


def label_efficiency(transfer: Sequence[LabelPoint], scratch: Sequence[LabelPoint]) -> dict[str, Any]:
    """Compare the errors by number of labels with transfer and from scratch.

    Args:
        transfer: Ascending by number of labels, the last with all of them.
        scratch: At the same numbers.

    Returns:
        ``num_labels`` (all); ``curves``, by role rows of ``num_labels, error, low, high`` (t interval over seeds; None
        below three) and ``errors``; ``worth``: with how many labels transfer reaches the error of scratch with all, and
        ``worth_of_scratch`` the other way round, each ``labels, low, high, bound``.
    """
    curves = {"transfer": transfer, "scratch": scratch}
    return {
        "num_labels": transfer[-1].num_labels,
        "curves": {role: [_row(point) for point in points] for role, points in curves.items()},
        "worth": labels_to(transfer, float(np.mean(scratch[-1].errors))),
        "worth_of_scratch": labels_to(scratch, float(np.mean(transfer[-1].errors))),
    }


def labels_to(points: Sequence[LabelPoint], level: float) -> dict[str, Any]:
    """Return the number of labels at which a curve first reaches an error, interpolated in the logarithm of the labels.

    Returns:
        ``labels``; ``bound``: ``"at most"`` where the fewest labels suffice already, ``"more than"`` where all do not,
        else None; ``low, high``: t interval over the draws, of the logarithm; None below three draws, or where a draw's
        curve is out of bounds.
    """
    labels, bound = _crossing(points, [float(np.mean(point.errors)) for point in points], level)
    ends = _ends(points, level) if bound is None else None
    low, high = ends or (None, None)
    return {"labels": labels, "low": low, "high": high, "bound": bound}


def _ends(points: Sequence[LabelPoint], level: float) -> tuple[float, float] | None:
    """Return the interval over draws; with all labels they have the same error, the mean of the refits."""
    full = float(np.mean(points[-1].errors))
    draws = list(zip(*(point.errors for point in points[:-1]), strict=True))
    found = [_crossing(points, [*draw, full], level) for draw in draws]
    if any(bound for _, bound in found):
        return None
    interval = over_seeds([float(np.log(labels)) for labels, _ in found])
    return (float(np.exp(interval.low)), float(np.exp(interval.high))) if interval else None


def _crossing(points: Sequence[LabelPoint], errors: Sequence[float], level: float) -> tuple[float, str | None]:
    nums = [float(point.num_labels) for point in points]
    below = np.flatnonzero(np.asarray(errors) <= level)
    if not len(below):
        return nums[-1], MORE_THAN
    first = int(below[0])
    if first == 0:
        return nums[0], AT_MOST
    drop = errors[first - 1] - errors[first]
    part = (errors[first - 1] - level) / drop
    return float(np.exp(np.interp(part, (0, 1), np.log(nums[first - 1 : first + 1])))), None


def _row(point: LabelPoint) -> dict[str, Any]:
    interval = over_seeds(point.errors, 0, 1)
    low, high = (interval.low, interval.high) if interval else (None, None)
    errors = list(point.errors)
    return {"num_labels": point.num_labels, "error": float(np.mean(errors)), "low": low, "high": high, "errors": errors}
