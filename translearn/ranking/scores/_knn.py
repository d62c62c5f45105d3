"""Leave-one-out accuracy of nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import unit_scale
from translearn.ranking.scores._vote import tied_accuracy

_BLOCK_VALUES = 1 << 22
_TIE = 1e-9


def knn(features: np.ndarray, labels: np.ndarray, *, k: int = 5, gram: np.ndarray | None = None) -> float:
    """Accuracy of the vote of each example's k nearest others, by cosine similarity.

    Neighbours as near as the k-th all vote, and tied classes share the credit, so that the result does
    not depend on the order of examples. Time grows with N^2 D; memory does not grow with N^2.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).
        k: Neighbours that vote; N - 1 where that is less.
        gram: F F' of these features at any scale, shape (N, N), where it is known.

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
    similarity = _of_rows(unit_scale(x_ND, centre=False)) if gram is None else _of_gram(gram)
    y_NC, block = one_hot(y), max(1, _BLOCK_VALUES // len(y))
    credit = 0.0
    for start in range(0, len(y), block):
        rows = np.arange(start, min(start + block, len(y)))
        votes_BC = _votes(similarity(rows), rows, min(k, len(y) - 1)) @ y_NC
        credit += tied_accuracy(votes_BC, y[rows]).sum()
    return float(credit / len(y))


def _of_rows(x_ND: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from B rows to their cosine similarities with all, (B, N)."""
    unit_ND = x_ND / _safe(np.linalg.norm(x_ND, axis=1, keepdims=True))
    return lambda rows: np.asarray(unit_ND[rows] @ unit_ND.T)


def _of_gram(gram_NN: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    inverse_N = 1 / _safe(np.sqrt(gram_NN.diagonal()))
    return lambda rows: np.asarray(gram_NN[rows] * np.outer(inverse_N[rows], inverse_N))


def _safe(norms: np.ndarray) -> np.ndarray:
    return np.where(norms > 0, norms, 1.0)


def _votes(similarity_BN: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return which examples vote for those in ``rows``: 0 or 1, float64, shape (B, N)."""
    similarity_BN[np.arange(len(rows)), rows] = -np.inf
    kth = np.partition(similarity_BN, -k, axis=1)[:, -k, None]
    return (similarity_BN >= kth - _TIE).astype(np.float64)
