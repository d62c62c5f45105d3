"""Several scores to one ranking of the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from translearn.errors import fault, raise_faults


def mean_rank(scores: Mapping[str, Sequence[float] | np.ndarray]) -> np.ndarray:
    """Return the mean, over scores, of each source's relative rank.

    A source's relative rank by one score is (rank - 1/2) / S among the S sources that have the score
    (rank 1 is the worst, tied sources share the mean of their ranks), so scores of any unit count alike.

    Args:
        scores: Name of a score to its values, one a source, in the same order; NaN where a score does
            not apply to a source (LEEP without a source head). Higher is better.

    Returns:
        float64, shape (S,), in (0, 1), higher is better.

    Raises:
        InputError: no scores, different lengths, infinite values, or a source without any score.

    >>> mean_rank({"knn": [0.5, 0.7], "logme": [1.0, 2.0]})
    array([0.25, 0.75])
    """
    values = {name: np.asarray(column, dtype=np.float64) for name, column in scores.items()}
    raise_faults(_faults(values))
    ranks = np.array([_relative_ranks(column) for column in values.values()])
    return np.asarray(np.nanmean(ranks, axis=0))


def _relative_ranks(column: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = rankdata(column, nan_policy="omit") - 0.5
    relative: np.ndarray = ranks / max(np.count_nonzero(~np.isnan(column)), 1)
    return relative


def _faults(values: dict[str, np.ndarray]) -> list[str]:
    shapes = {name: column.shape for name, column in values.items()}
    if not shapes or len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        return [fault("scores", "must have one value a source, for at least one score", f"shapes {shapes}", "")]
    faults = [
        fault(f"scores.{name}", "must be finite, or NaN where the score does not apply", column.tolist(), "")
        for name, column in values.items()
        if np.isinf(column).any()
    ]
    bare = np.flatnonzero(np.isnan(list(values.values())).all(axis=0)).tolist()
    if bare:
        faults.append(fault("scores", "must hold a score for every source", f"none for sources {bare}", ""))
    return faults
