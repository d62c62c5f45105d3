"""GBC: how far the classes overlap as Gaussians."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import principal_components

_VARIANCE_FLOOR = 1e-9


def gbc(features: np.ndarray, labels: np.ndarray, *, num_components: int = 64) -> float:
    """Return minus the Bhattacharyya coefficients of all ordered pairs of classes, as spherical Gaussians.

    A class with one example gets the variance within the other classes (or, where no class has two, the
    total variance); every variance is at least 1e-9 of the total.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).
        num_components: Principal components kept.

    Returns:
        In [-C (C - 1), 0], higher is better; the lowest value for constant features.

    Raises:
        InputError: the inputs break a rule.

    Source: Pandy et al., CVPR 2022, with the factor D on the log variance.
    """
    x_ND, y = checked_features(features, labels)
    z_NK = principal_components(x_ND, num_components)
    num_classes = int(y.max()) + 1
    if not z_NK.size:
        return -float(num_classes * (num_classes - 1))
    means_CK, variance_C = _class_gaussians(z_NK, y)
    between = (variance_C[:, None] + variance_C) / 2
    log_ratio = np.log(between) - (np.log(variance_C[:, None]) + np.log(variance_C)) / 2
    distance = cdist(means_CK, means_CK, "sqeuclidean") / (8 * between) + z_NK.shape[1] / 2 * log_ratio
    return float(num_classes - np.exp(-distance).sum())


def _class_gaussians(z_NK: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return class means (C, K), and each class's variance per dimension (C,)."""
    counts, y_NC = np.bincount(y), one_hot(y)
    means_CK = (y_NC.T @ z_NK) / counts[:, None]
    squared_C = y_NC.T @ ((z_NK - means_CK[y]) ** 2).mean(axis=1)
    total = (z_NK**2).mean()
    several = counts > 1
    typical = squared_C[several].sum() / counts[several].sum() if several.any() else total
    return means_CK, np.maximum(np.where(several, squared_C / counts, typical), _VARIANCE_FLOOR * total)
