"""Accuracy of predictions that may be tied."""

from __future__ import annotations

import numpy as np

_TIE = 1e-9


def tied_accuracy(scores_NC: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each example's credit, float64 (N,) in [0, 1]: 1/t where t classes tie for the best score, with its own.

    Sharing keeps accuracy free of the order of classes and of rounding.
    """
    best = scores_NC >= scores_NC.max(axis=1, keepdims=True) - _TIE
    credit_N: np.ndarray = best[np.arange(len(y)), y] / best.sum(axis=1)
    return credit_N
