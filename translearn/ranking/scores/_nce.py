"""NCE: how much the source head's decision tells of the target's label."""

from __future__ import annotations

import numpy as np

from translearn.ranking.scores._inputs import checked_probabilities, one_hot


def nce(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Negative conditional entropy -H(Y|Z) of target labels given the most probable source class.

    Args:
        probabilities: Real, shape (N, Z): the source head's softmax output for each target example.
            Of equally probable source classes the first counts.
        labels: Integers, shape (N,): target classes.

    Returns:
        Nats, at most 0, higher is better; minus the labels' entropy where all examples share a decision.
        No smoothing: with as many decisions as examples it is 0, so keep N well above Z.

    Raises:
        InputError: the inputs break a rule.

    Source: Tran et al., ICCV 2019.
    """
    theta_NZ, y = checked_probabilities(probabilities, labels)
    _, z = np.unique(theta_NZ.argmax(axis=1), return_inverse=True)
    joint_CZ = one_hot(y).T @ one_hot(z) / len(y)
    conditional_CZ = joint_CZ / joint_CZ.sum(axis=0)
    seen = joint_CZ > 0
    return float((joint_CZ[seen] * np.log(conditional_CZ[seen])).sum())
