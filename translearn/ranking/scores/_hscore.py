"""H-score with a shrunk covariance."""

from __future__ import annotations

import numpy as np

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import spectrum


def hscore(features: np.ndarray, labels: np.ndarray) -> float:
    """Between-class variance over total variance, with Ledoit-Wolf shrinkage: safe where N < D.

    tr(S_a^-1 (1 - a) S_b), where S_b is the covariance of the class means, S the features' covariance,
    S_a = (1 - a) S + a tr(S)/D I, and a the Ledoit-Wolf shrinkage.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).

    Returns:
        In [0, min(C - 1, D)], higher is better; 0 for constant features.

    Raises:
        InputError: the inputs break a rule.

    Source: Ibrahim et al. 2021, arXiv 2110.06893; the plain form is Bao et al., ICIP 2019.
    """
    x_ND, y = checked_features(features, labels)
    s, u_NK = spectrum(x_ND, centre=True)
    if not s.size:
        return 0.0
    shrinkage = ledoit_wolf(s, u_NK, x_ND.shape[1])
    y_NC = one_hot(y)
    # Class means lie in the span of the features: only the K directions count, and V'mu_c = sqrt(s) U'y_c / n_c.
    between_K = ((u_NK.T @ y_NC) ** 2 / y_NC.sum(axis=0)).sum(axis=1) * s
    total_K = (1 - shrinkage) * s + shrinkage * s.sum() / x_ND.shape[1]
    return float((1 - shrinkage) * (between_K / total_K).sum())


def ledoit_wolf(s: np.ndarray, u_NK: np.ndarray, num_features: int) -> float:
    """Return the Ledoit-Wolf shrinkage in [0, 1] of centred features U sqrt(s) V', without a D x D matrix.

    Source: Ledoit & Wolf 2004, lemma 3.3, on the Gram matrix: |X'X|^2 = sum s^2, |x_n|^2 = U^2 s.
    """
    num = len(u_NK)
    distance = (s**2).sum() - s.sum() ** 2 / num_features
    noise = ((u_NK**2 @ s) ** 2).sum() - (s**2).sum() / num
    return float(np.clip(noise / distance, 0.0, 1.0)) if distance > 0 else 0.0
