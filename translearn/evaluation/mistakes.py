"""Worst mistakes of one model: the examples whose class has the lowest probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.evaluation.predictions import Predictions

NUM_MISTAKES = 24


@dataclass(frozen=True)
class Mistake:
    """One wrong prediction.

    Attributes:
        row: The example's row in the split.
        label: Its class.
        predicted: The predicted class.
        confidence: The probability of ``predicted``, in [0, 1].
        loss: Cross-entropy of the label, nats.
    """

    row: int
    label: int
    predicted: int
    confidence: float
    loss: float


def worst_mistakes(predictions: Predictions, limit: int = NUM_MISTAKES) -> list[Mistake]:
    """Return the wrong predictions of highest loss, at most ``limit``, highest first; the lower row on a tie."""
    losses, wrong = predictions.losses, np.flatnonzero(predictions.errors)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:limit]
    return [_mistake(predictions, row, float(losses[row])) for row in worst.tolist()]


def _mistake(predictions: Predictions, row: int, loss: float) -> Mistake:
    predicted = int(predictions.predicted[row])
    confidence = float(predictions.probabilities[row, predicted])
    return Mistake(row, int(predictions.labels[row]), predicted, confidence, loss)
