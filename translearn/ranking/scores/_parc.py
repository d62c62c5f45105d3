"""PARC: whether examples of one class have like features."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from translearn.ranking.scores._inputs import checked_features, stratified_rows
from translearn.ranking.scores._spectrum import spectrum


def parc(
    features: np.ndarray, labels: np.ndarray, *, num_components: int = 32, max_examples: int = 2000, seed: int = 0
) -> float:
    """Rank correlation, over pairs of examples, of feature distance with label distance.

    Feature distance is 1 - the correlation of two rows of standardised principal components; label
    distance is 1 - the correlation of their one-hot labels, so it only says same or different. Correlation
    of components depends on their arbitrary signs, which are fixed here but may differ between subsamples.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).
        num_components: Principal components kept.
        max_examples: Larger sets are subsampled by class: pairs grow with the square.
        seed: The study's seed, for the subsample.

    Returns:
        100 x Spearman's rho, in [-100, 100], higher is better. 0 where there is nothing to correlate:
        features of rank below 2, or no two examples of one class.

    Raises:
        InputError: the inputs break a rule.

    Source: Bolya et al., NeurIPS 2021.
    """
    from scipy.stats import spearmanr

    x_ND, y = checked_features(features, labels)
    rows = stratified_rows(y, max_examples, seed)
    _, u_NK = spectrum(x_ND[rows], centre=True)
    different = pdist(y[rows, None], "hamming")
    if u_NK.shape[1] < 2 or different.all():
        return 0.0
    rho = spearmanr(_correlation_distances(u_NK[:, :num_components]), different).statistic
    return float(100 * rho) if np.isfinite(rho) else 0.0


def _correlation_distances(u_NK: np.ndarray) -> np.ndarray:
    """1 - correlation of each pair of rows; a row without variance correlates with none. Columns of U have
    one norm, so they are standardised already."""
    centred = u_NK - u_NK.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(norms > 1e-12, norms, np.inf)
    # Rounding must not order pairs that are equally far.
    return np.asarray(np.round((1 - unit @ unit.T)[np.triu_indices(len(unit), 1)], 9))
