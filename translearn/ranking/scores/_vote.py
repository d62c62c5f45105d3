"""Accuracy of predictions that may be tied."""

from __future__ import annotations

import numpy as np

_TIE = 1e-9


def tied_accuracy(scores_NC: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Each example's credit, float64 (N,) in [0, 1]: 1/t where its class is one of t tied for the best score.

    Sharing keeps accuracy free of the order of classes and of rounding.
    """
    best = scores_NC >= scores_NC.max(axis=1, keepdims=True) - _TIE
    credit_N: np.ndarray = best[np.arange(len(y)), y] / best.sum(axis=1)
    return credit_N
