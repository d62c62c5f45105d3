"""Predictions with known errors, for the tests of evaluate."""

from __future__ import annotations

import numpy as np

from translearn.evaluation.predictions import Predictions


def predictions(labels, predicted, role="transfer", seed=0, num_classes=3, confidence=0.9) -> Predictions:
    """Predictions that give ``predicted`` the probability ``confidence`` and share the rest equally."""
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    probabilities = np.full((len(labels), num_classes), (1 - confidence) / (num_classes - 1))
    probabilities[np.arange(len(labels)), predicted] = confidence
    return Predictions(role, seed, probabilities, labels)


def with_errors(errors, role="transfer", seed=0) -> Predictions:
    """Predictions of class 0 examples that are wrong exactly where ``errors`` says so."""
    errors = np.asarray(errors)
    return predictions(np.zeros(len(errors)), errors.astype(np.int64), role, seed)
