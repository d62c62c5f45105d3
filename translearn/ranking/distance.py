"""Distances between the source's data and the target's, in the features of a backbone."""

from __future__ import annotations

import numpy as np
from scipy.linalg import svdvals

from translearn import seeds
from translearn.ranking.scores._inputs import checked_domains
from translearn.ranking.scores._linear_probe import leave_one_out_credit


def frechet_distance(source: np.ndarray, target: np.ndarray) -> float:
    """Squared Frechet distance between Gaussians fitted to two sets of features.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2)), with unbiased covariances. Never forms a D x D
    root: tr (S_1 S_2)^(1/2) is the nuclear norm of the product of the covariances' factors.

    Args:
        source: Real, shape (N, D): features of the source's images.
        target: Real, shape (M, D): features of the target's images, from the same backbone.

    Returns:
        Squared units of the features, at least 0, lower is nearer; 0 for equal sets. Grows as sets get
        smaller, so compare at equal sizes.

    Raises:
        InputError: the inputs break a rule.

    Source: Dowson & Landau 1982; as a distance of image sets Heusel et al., NeurIPS 2017.
    """
    x_ND, z_MD = checked_domains(source, target)
    shift = x_ND.mean(axis=0) - z_MD.mean(axis=0)
    factor_x, factor_z = _covariance_factor(x_ND), _covariance_factor(z_MD)
    overlap = svdvals(factor_x @ factor_z.T).sum()
    distance = shift @ shift + (factor_x**2).sum() + (factor_z**2).sum() - 2 * overlap
    return float(max(distance, 0.0))


def proxy_a_distance(source: np.ndarray, target: np.ndarray, *, max_examples: int = 5000, seed: int = 0) -> float:
    """2 (1 - 2 e), where e is the left-out error of a linear classifier that tells the two sets apart.

    Args:
        source: Real, shape (N, D): features of the source's images.
        target: Real, shape (M, D): features of the target's images, from the same backbone.
        max_examples: The most examples of each set; the larger set is subsampled to the other's size.
        seed: The study's seed, for the subsample.

    Returns:
        In [0, 2], lower is nearer: 0 where the sets cannot be told apart, 2 where no example is mistaken.

    Raises:
        InputError: the inputs break a rule.

    Source: Ben-David et al., NeurIPS 2006; the classifier is that of ``linear_probe``.
    """
    domains = checked_domains(source, target)
    num = min(len(domains[0]), len(domains[1]), max_examples)
    draw = seeds.generator(seed, "proxy_a_distance")
    both = np.concatenate([domain[np.sort(draw.permutation(len(domain))[:num])] for domain in domains])
    error = 1 - leave_one_out_credit(both, np.repeat([0, 1], num)).mean()
    return float(max(2 * (1 - 2 * error), 0.0))


def _covariance_factor(x_ND: np.ndarray) -> np.ndarray:
    """R, shape (min(N, D), D), with R'R the unbiased covariance."""
    centred = (x_ND - x_ND.mean(axis=0)) / np.sqrt(len(x_ND) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"))
