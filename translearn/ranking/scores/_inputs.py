"""Checks of the inputs of every score.

Shapes, here and in the other modules: N examples, D features, C target classes, Z source classes,
K components of the features' spectrum.
"""

from __future__ import annotations

import numpy as np

from translearn import seeds
from translearn.errors import fault, raise_faults

#: Squares of larger magnitudes come near the end of float64.
MAX_MAGNITUDE = 1e100
_SUM_TOLERANCE = 1e-3


def checked_features(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features as float64 (N, D), and labels as dense class numbers int64 (N,) in [0, C).

    Raises:
        InputError: shapes, types or values break a rule; the message names every fault.
    """
    raise_faults(_matrix_faults("features", features) + _label_faults("features", features, labels))
    return np.asarray(features, dtype=np.float64), _dense(labels)


def checked_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source probabilities as float64 (N, Z) whose rows sum to 1, and dense labels as above."""
    faults = _matrix_faults("probabilities", probabilities) or _simplex_faults(np.asarray(probabilities))
    raise_faults(faults + _label_faults("probabilities", probabilities, labels))
    theta = np.asarray(probabilities, dtype=np.float64)
    return theta / theta.sum(axis=1, keepdims=True), _dense(labels)


def checked_domains(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features of two data sets from one backbone, float64, with the same number of columns."""
    faults = _matrix_faults("source", source) + _matrix_faults("target", target)
    if not faults and np.shape(source)[1] != np.shape(target)[1]:
        got = f"{np.shape(source)[1]} and {np.shape(target)[1]} columns"
        faults = [fault("target", "must have the columns of source", got, "Use one backbone for both.")]
    raise_faults(faults)
    return np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)


def one_hot(y: np.ndarray) -> np.ndarray:
    """Dense labels as float64 indicators, (N, C)."""
    y_NC: np.ndarray = np.eye(y.max() + 1)[y]
    return y_NC


def stratified_rows(labels: np.ndarray, limit: int, seed: int = 0) -> np.ndarray:
    """Return the rows of a random subset that keeps the classes' shares.

    Args:
        labels: Integers, shape (N,).
        limit: The most rows to keep, at least 2.
        seed: The study's seed.

    Returns:
        int64, shape (min(N, limit),), ascending; every row where N is at most ``limit``. With a
        subset, at least the lowest and the highest label are in it.
    """
    if limit < 2:
        raise_faults([fault("limit", "must be at least 2", limit, "")])
    if len(labels) <= limit:
        return np.arange(len(labels))
    shuffled = seeds.generator(seed, "stratified_rows").permutation(len(labels))
    by_class = shuffled[np.argsort(np.asarray(labels)[shuffled], kind="stable")]
    return np.sort(by_class[np.linspace(0, len(labels) - 1, limit).round().astype(np.int64)])


def _matrix_faults(where: str, values: np.ndarray) -> list[str]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        return [fault(where, "must be real numbers", array.dtype, "")]
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        rule = "must have a row an example, at least 2 rows and 1 column"
        return [fault(where, rule, f"shape {array.shape}", "Flatten or pool each example to one vector.")]
    bad = np.count_nonzero(~(np.abs(array.astype(np.float64)) <= MAX_MAGNITUDE))
    if bad:
        remedy = "Check the source's weights and the preprocessing."
        return [fault(where, "must be finite", f"{bad} values that are infinite, NaN or beyond 1e100", remedy)]
    return []


def _simplex_faults(theta: np.ndarray) -> list[str]:
    bad = (theta < 0).any(axis=1) | (np.abs(theta.sum(axis=1, dtype=np.float64) - 1) > _SUM_TOLERANCE)
    if not bad.any():
        return []
    got = f"{np.count_nonzero(bad)} rows that do not"
    return [fault("probabilities", "must be at least 0 and sum to 1 in each row", got, "Apply softmax to the logits.")]


def _label_faults(beside: str, rows: np.ndarray, labels: np.ndarray) -> list[str]:
    y = np.asarray(labels)
    if y.dtype.kind not in "iu" or y.ndim != 1 or len(y) != len(np.atleast_1d(rows)):
        rule = f"must be integers, one a row of {beside} ({len(np.atleast_1d(rows))})"
        return [fault("labels", rule, f"{y.dtype} of shape {y.shape}", "")]
    if y.size and y.min() < 0:
        return [fault("labels", "must be at least 0", y.min(), "Leave unlabelled examples out.")]
    num_classes = len(np.unique(y))
    if num_classes < 2:
        return [fault("labels", "must name at least 2 classes", num_classes, "A score compares classes.")]
    return []


def _dense(labels: np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1)
