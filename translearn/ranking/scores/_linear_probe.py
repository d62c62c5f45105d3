"""Leave-one-out accuracy of a linear head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import spectrum, unit_scale
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
    return tied_accuracy(y_NC - _best(s, u_NK, y_NC)[1], y)


def fit_linear_probe(features: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit the linear head of ``linear_probe`` on all examples.

    Args:
        features: Real, shape (N, D).
        labels: Integers, shape (N,), in [0, C).
        num_classes: C; a class without an example gets logits of about 0.

    Returns:
        The weights, float64 (C, D), and the biases, float64 (C,), of logits that come near to class indicators.

    Raises:
        InputError: the inputs break a rule.
    """
    x_ND, _ = checked_features(features, labels)
    y_NC = np.eye(num_classes)[labels]
    s, u_NK = spectrum(x_ND, centre=True)
    penalty = _best(s, u_NK, y_NC)[0]
    scale = np.abs(x_ND).max() or 1.0  # the spectrum is that of features at unit scale
    w_DC = unit_scale(x_ND, centre=True).T @ (u_NK @ ((u_NK.T @ y_NC) / (s + penalty)[:, None])) / scale
    return w_DC.T, y_NC.mean(axis=0) - x_ND.mean(axis=0) @ w_DC


def _best(s: np.ndarray, u_NK: np.ndarray, y_NC: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the penalty with the lowest leave-one-out squared error, and its residuals, (N, C)."""
    penalties_P = PENALTIES * s[0] if s.size else PENALTIES[:1]
    found = zip(penalties_P.tolist(), _left_out_residuals(s, u_NK, y_NC, penalties_P), strict=True)
    return min(found, key=lambda one: float((one[1] ** 2).sum()))


def _left_out_residuals(
    s: np.ndarray, u_NK: np.ndarray, y_NC: np.ndarray, penalties_P: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield for each penalty y minus its prediction from the other examples, (N, C): residual / (1 - leverage)."""
    shrink_KP = s[:, None] / (s[:, None] + penalties_P)
    mean_C, projected_KC = y_NC.mean(axis=0), u_NK.T @ y_NC
    # An example alone in its direction has leverage 1 - O(penalty); rounding must not push it past 1.
    rest_NP = np.maximum(1 - 1 / len(y_NC) - (u_NK**2) @ shrink_KP, 1e-12)
    for shrink_K, rest_N in zip(shrink_KP.T, rest_NP.T, strict=True):
        fitted_NC = mean_C + u_NK @ (shrink_K[:, None] * projected_KC)
        yield (y_NC - fitted_NC) / rest_N[:, None]
