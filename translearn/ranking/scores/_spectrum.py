"""The singular values and left singular vectors of features, found in their smaller dimension."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

# Directions below this share of the largest eigenvalue are rounding, as the Gram matrix squares the condition.
_RANK_CUTOFF = 1e-12


def spectrum(features: np.ndarray, *, centre: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of F'F and the matching left singular vectors of F.

    F is first divided by its largest magnitude, so scores built on this do not depend on the features'
    scale. Constant features (and, uncentred, zero ones) have no component: K = 0.

    Args:
        features: float64, shape (N, D).
        centre: Whether to subtract the mean of each column.

    Returns:
        s: float64, shape (K,), descending, positive; K is the rank, at most min(N, D).
        U: float64, shape (N, K), orthonormal columns. A column's sign is such that its entry of largest
            magnitude is positive, whatever the rotation of the features.
    """
    x_ND = unit_scale(features, centre=centre)
    wide = x_ND.shape[0] < x_ND.shape[1]
    s, vectors = eigh(x_ND @ x_ND.T if wide else x_ND.T @ x_ND, driver="evd")
    rounding = x_ND.size * (4 * np.finfo(np.float64).eps) ** 2
    kept = np.flatnonzero(s > max(_RANK_CUTOFF * s[-1], rounding))[::-1]
    s, vectors = s[kept], vectors[:, kept]
    u_NK = vectors if wide else (x_ND @ vectors) / np.sqrt(s)
    peaks = np.take_along_axis(u_NK, np.abs(u_NK).argmax(axis=0)[None], axis=0)
    return s, u_NK * np.sign(peaks)


def unit_scale(features: np.ndarray, *, centre: bool) -> np.ndarray:
    """Return features divided by their largest magnitude (zeros stay), and centred if asked."""
    largest = np.abs(features).max()
    scaled: np.ndarray = features / largest if largest > 0 else features
    return scaled - scaled.mean(axis=0) if centre else scaled


def principal_components(features: np.ndarray, num: int) -> np.ndarray:
    """Return the first principal coordinates, float64, shape (N, min(num, rank)), of features at unit scale."""
    s, u_NK = spectrum(features, centre=True)
    coordinates: np.ndarray = u_NK[:, :num] * np.sqrt(s[:num])
    return coordinates
