"""Leave-one-out accuracy of a linear head."""

from __future__ import annotations

import numpy as np

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import spectrum
from translearn.ranking.scores._vote import tied_accuracy

#: Ridge penalties tried, relative to the largest eigenvalue of the centred F'F.
PENALTIES = np.logspace(-8, 1, 19)


def linear_probe(features: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy, on each example, of a linear head that was trained on all the others.

    The head is least squares on class indicators with an intercept and a ridge penalty. Its exact
    leave-one-out predictions have a closed form, so no split, seed or optimiser has a say. The penalty
    is the one of ``PENALTIES`` with the lowest leave-one-out squared error.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).

    Returns:
        In [0, 1], higher is better; tied classes share the credit. Constant features score no more than
        the majority's share, and 0 where classes are equally large.

    Raises:
        InputError: the inputs break a rule.

    Source: Allen 1974 (PRESS); ridge heads as in Rifkin & Lippert 2007.
    """
    x_ND, y = checked_features(features, labels)
    return float(leave_one_out_credit(x_ND, y).mean())


def leave_one_out_credit(x_ND: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each example's credit in [0, 1], float64 (N,), for features and dense labels that were checked."""
    s, u_NK = spectrum(x_ND, centre=True)
    y_NC = one_hot(y)
    penalties = PENALTIES * s[0] if s.size else PENALTIES[:1]
    residuals = (_left_out_residuals(s, u_NK, y_NC, penalty) for penalty in penalties)
    best = min(residuals, key=lambda residual: float((residual**2).sum()))
    return tied_accuracy(y_NC - best, y)


def _left_out_residuals(s: np.ndarray, u_NK: np.ndarray, y_NC: np.ndarray, penalty: float) -> np.ndarray:
    """y minus its prediction from the other examples, (N, C): residual / (1 - leverage)."""
    shrink_K = s / (s + penalty)
    mean_C = y_NC.mean(axis=0)
    fitted_NC = mean_C + u_NK @ (shrink_K[:, None] * (u_NK.T @ y_NC))
    leverage_N = 1 / len(y_NC) + (u_NK**2) @ shrink_K
    # An example alone in its direction has leverage 1 - O(penalty); rounding must not push it past 1.
    left_out: np.ndarray = (y_NC - fitted_NC) / np.maximum(1 - leverage_N, 1e-12)[:, None]
    return left_out
