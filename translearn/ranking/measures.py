"""Measures of a ranker's order of a pool of sources, given their true target errors."""

from __future__ import annotations

import numpy as np

_TIE = 1e-12


def weighted_tau(scores: np.ndarray, errors: np.ndarray) -> float:
    """Weighted Kendall tau between scores and accuracy: exchanges among the best sources cost most.

    Args:
        scores: Real, shape (S,), higher is better.
        errors: Target errors, shape (S,), lower is better.

    Returns:
        In [-1, 1], higher is better; 0 where all scores or all errors are equal, as nothing is ranked.

    Source: Vigna, WWW 2015; additive hyperbolic weights, mean over ranking by scores and by errors.
    """
    from scipy.stats import weightedtau

    if np.ptp(scores) == 0 or np.ptp(errors) == 0:
        return 0.0
    return float(weightedtau(scores, -np.asarray(errors)).statistic)


def picked_error(scores: np.ndarray, errors: np.ndarray) -> float:
    """Target error, in [0, 1], of the source with the highest score; the mean over tied ones."""
    best = np.asarray(scores) >= np.max(scores) - _TIE * np.abs(np.max(scores))
    return float(np.asarray(errors)[best].mean())


def rel_at_1(scores: np.ndarray, errors: np.ndarray) -> float:
    """Accuracy of the picked source over the best accuracy in the pool, in [0, 1], higher is better.

    1 where no source in the pool is ever right.
    """
    best = 1 - float(np.min(errors))
    return (1 - picked_error(scores, errors)) / best if best > 0 else 1.0


def regret(scores: np.ndarray, errors: np.ndarray) -> float:
    """Target error of the picked source minus the lowest in the pool, in [0, 1], lower is better."""
    return picked_error(scores, errors) - float(np.min(errors))
