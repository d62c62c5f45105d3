"""NLEEP: LEEP on the clusters of the features, for sources without a head."""

from __future__ import annotations

import numpy as np

from translearn import seeds
from translearn.ranking.scores._inputs import checked_features
from translearn.ranking.scores._leep import expected_log_likelihood
from translearn.ranking.scores._spectrum import spectrum

_ENERGY = 0.8
_COMPONENTS_PER_CLASS = 5
_EXAMPLES_PER_COMPONENT = 5


def nleep(features: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """LEEP on the posteriors of a Gaussian mixture, fitted to the first principal components.

    Principal components with 80 % of the variance; 5 C mixture components, but no more than N/5, so that
    few examples do not each get their own. Covariances are diagonal (the paper's are full), for the same
    reason. Components are fitted from a random start: the result depends a little on ``seed`` and on the
    order of examples.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale does not matter.
        labels: Integers, shape (N,).
        seed: The study's seed.

    Returns:
        Nats, at most 0, higher is better; minus the labels' entropy for constant features.

    Raises:
        InputError: the inputs break a rule.

    Source: Li et al., CVPR 2021 (Ranking Neural Checkpoints).
    """
    x_ND, y = checked_features(features, labels)
    points_NK = reduced(x_ND)
    num_distinct = len(np.unique(points_NK, axis=0)) if points_NK.size else 1
    num = min(_COMPONENTS_PER_CLASS * (int(y.max()) + 1), len(y) // _EXAMPLES_PER_COMPONENT, num_distinct)
    if num < 2:
        return expected_log_likelihood(np.ones((len(y), 1)), y)
    return expected_log_likelihood(_posteriors(points_NK, num, seed), y)


def reduced(x_ND: np.ndarray) -> np.ndarray:
    """Return the fewest principal coordinates with 80 % of the variance, at unit total variance, (N, K)."""
    s, u_NK = spectrum(x_ND, centre=True)
    num = int(np.searchsorted(s.cumsum(), _ENERGY * s.sum() * (1 - 1e-12))) + 1
    scale = np.sqrt(len(x_ND) / s.sum()) if s.size else 1.0
    points: np.ndarray = u_NK[:, :num] * np.sqrt(s[:num]) * scale
    return points


def _posteriors(points_NK: np.ndarray, num: int, seed: int) -> np.ndarray:
    from sklearn.mixture import GaussianMixture

    state = seeds.derive_seed(seed, "nleep") % 2**32
    mixture = GaussianMixture(num, covariance_type="diag", reg_covar=1e-4, max_iter=200, random_state=state)
    return np.asarray(mixture.fit(points_NK).predict_proba(points_NK), dtype=np.float64)
