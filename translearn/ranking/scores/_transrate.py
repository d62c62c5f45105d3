"""TransRate: the coding rate that the labels explain."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh

from translearn.errors import fault, raise_faults
from translearn.ranking.scores._inputs import checked_features


def transrate(features: np.ndarray, labels: np.ndarray, *, eps: float = 1e-4) -> float:
    """Coding rate of all features minus the classes' mean coding rate, weighted by their sizes.

    R(Z) - sum_c n_c/n R(Z_c), R(Z) = 1/2 ln det(I + Z'Z / (n eps)), Z centred over all examples.

    Args:
        features: Real, shape (N, D), from a source backbone. Their scale matters (rotation does not):
            compare sources of one architecture.
        labels: Integers, shape (N,).
        eps: Distortion, above 0.

    Returns:
        Nats, at least 0, higher is better; 0 for constant features.

    Raises:
        InputError: the inputs break a rule.

    Source: Huang et al., ICML 2022; the classes' weights as in the text, not as in a public copy.
    """
    x_ND, y = checked_features(features, labels)
    if not eps > 0:
        raise_faults([fault("eps", "must be above 0", eps, "")])
    z_ND = x_ND - x_ND.mean(axis=0)
    order = np.argsort(y, kind="stable")
    classes = np.split(z_ND[order], np.cumsum(np.bincount(y))[:-1])
    within = sum(len(z) / len(y) * _coding_rate(z, eps) for z in classes)
    return float(max(_coding_rate(z_ND, eps) - within, 0.0))


def _coding_rate(z_ND: np.ndarray, eps: float) -> float:
    num, dim = z_ND.shape
    gram = z_ND @ z_ND.T if num < dim else z_ND.T @ z_ND
    return float(np.log1p(np.maximum(eigvalsh(gram), 0.0) / (num * eps)).sum() / 2)
