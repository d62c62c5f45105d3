"""LEEP: how well the source head's probabilities predict the target's labels."""

from __future__ import annotations

import numpy as np

from translearn.ranking.scores._inputs import checked_probabilities, one_hot


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean log likelihood of the labels under the expected empirical predictor.

    Source classes without any mass predict nothing and are left out. Misleads when candidate sources
    differ in their number of classes.

    Args:
        probabilities: Real, shape (N, Z): the source head's softmax output for each target example.
        labels: Integers, shape (N,): target classes.

    Returns:
        Nats, at most 0, higher is better; minus the labels' entropy where the probabilities are constant.

    Raises:
        InputError: the inputs break a rule.

    Source: Nguyen et al., ICML 2020.
    """
    return expected_log_likelihood(*checked_probabilities(probabilities, labels))


def expected_log_likelihood(theta_NZ: np.ndarray, y: np.ndarray) -> float:
    """LEEP of probabilities and dense labels that were checked."""
    joint_CZ = one_hot(y).T @ theta_NZ
    mass_Z = joint_CZ.sum(axis=0)
    conditional_CZ = joint_CZ / np.where(mass_Z > 0, mass_Z, 1.0)
    return float(np.log((conditional_CZ[y] * theta_NZ).sum(axis=1)).mean())
