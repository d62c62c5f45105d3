"""Leave-one-out accuracy of nearest neighbours."""

from __future__ import annotations

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import unit_scale
from translearn.ranking.scores._vote import tied_accuracy

_BLOCK_VALUES = 1 << 22
_TIE = 1e-9


def knn(features: np.ndarray, labels: np.ndarray, *, k: int = 5) -> float:
    """Accuracy of the vote of each example's k nearest others, by cosine similarity.

    Neighbours as near as the k-th all vote, and tied classes share the credit, so that the result does
    not depend on the order of examples. Time grows with N^2 D; memory does not grow with N^2.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).
        k: Neighbours that vote; N - 1 where that is less.

    Returns:
        In [0, 1], higher is better. A class with one example is never right; constant features score no
        more than the majority's share, and 0 where classes are equally large.

    Raises:
        InputError: the inputs break a rule.

    Source: Sorkhei et al. 2025, arXiv 2503.18528; cosine similarity as in Wu et al., CVPR 2018.
    """
    x_ND, y = checked_features(features, labels)
    if k < 1:
        raise_faults([fault("k", "must be at least 1", k, "")])
    unit_ND = _unit_rows(unit_scale(x_ND, centre=False))
    y_NC, block = one_hot(y), max(1, _BLOCK_VALUES // len(y))
    credit = 0.0
    for start in range(0, len(y), block):
        rows = np.arange(start, min(start + block, len(y)))
        votes_BC = _votes(unit_ND, rows, min(k, len(y) - 1)) @ y_NC
        credit += tied_accuracy(votes_BC, y[rows]).sum()
    return float(credit / len(y))


def _unit_rows(x_ND: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(x_ND, axis=1, keepdims=True)
    unit: np.ndarray = x_ND / np.where(norms > 0, norms, 1.0)
    return unit


def _votes(unit_ND: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return which examples vote for those in ``rows``: 0 or 1, float64, shape (B, N)."""
    similarity: np.ndarray = unit_ND[rows] @ unit_ND.T
    similarity[np.arange(len(rows)), rows] = -np.inf
    kth = np.partition(similarity, -k, axis=1)[:, -k, None]
    return (similarity >= kth - _TIE).astype(np.float64)
