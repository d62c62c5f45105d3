"""Predictions of one trained model on one split, and checks that several of them are comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from translearn.errors import fault, raise_faults

TRANSFER, SCRATCH, PROBE = "transfer", "scratch", "probe"
#: Scratch with as many more steps as lower its validation error.
CONVERGED = "converged"
_TOLERANCE = 1e-4  # of a row's sum: a softmax in float32 stays well within it
_LEAST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one trained model on one split.

    Attributes:
        role: ``"transfer"``, ``"scratch"``, ``"probe"`` (the linear probe) or ``"converged"`` (scratch with more
            steps): which configuration was trained.
        seed: The seed that it was trained with.
        probabilities: float64, shape (N, C), rows sum to 1.
        labels: int64, shape (N,), in [0, C).
        pictures: int64, shape (N,): equal for copies of one picture; None where all differ.

    Raises:
        InputError: The arrays do not fit each other, or are no probabilities; every fault at once.
    """

    role: str
    seed: int
    probabilities: np.ndarray
    labels: np.ndarray
    pictures: np.ndarray | None = None

    def __post_init__(self) -> None:
        where = f"predictions of {self.role}, seed {self.seed}"
        raise_faults(_shape_faults(where, self.probabilities, self.labels))
        raise_faults(_value_faults(where, self.probabilities, self.labels))

    @property
    def predicted(self) -> np.ndarray:
        """int64, shape (N,): the class of highest probability; the lower index on a tie."""
        predicted: np.ndarray = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def errors(self) -> np.ndarray:
        """bool, shape (N,): where the prediction is wrong."""
        errors: np.ndarray = self.predicted != self.labels
        return errors

    @property
    def error(self) -> float:
        """The fraction of wrong predictions, in [0, 1]; lower is better."""
        return float(self.errors.mean())

    @property
    def losses(self) -> np.ndarray:
        """float64, shape (N,): the cross-entropy of each label, nats; finite also where its probability is 0."""
        chances = self.probabilities[np.arange(len(self.labels)), self.labels]
        losses: np.ndarray = -np.log(np.maximum(chances, _LEAST))
        return losses


def subset(predictions: Predictions, rows: np.ndarray) -> Predictions:
    """Return the predictions of the examples in these rows alone."""
    pictures = None if predictions.pictures is None else predictions.pictures[rows]
    return replace(
        predictions, probabilities=predictions.probabilities[rows], labels=predictions.labels[rows], pictures=pictures
    )


def of_role(predictions: Sequence[Predictions], role: str) -> list[Predictions]:
    """Return the predictions of one role, ordered by seed."""
    return sorted((p for p in predictions if p.role == role), key=lambda p: p.seed)


def comparable_faults(where: str, predictions: Sequence[Predictions]) -> list[str]:
    """Return the faults of predictions that should be of the same examples, and one of each role and seed."""
    faults, runs = [], [(p.role, p.seed) for p in predictions]
    twice = sorted({run for run in runs if runs.count(run) > 1})
    if twice:
        faults.append(fault(where, "a role must have a seed once", twice, "Give one model's predictions once."))
    if any(not np.array_equal(p.labels, predictions[0].labels) for p in predictions):
        sizes = sorted({len(p.labels) for p in predictions})
        rule = "all models must predict the same examples in the same order"
        remedy = "Predict one split, in its stored order, with every model."
        faults.append(fault(where, rule, f"labels that differ ({sizes} examples)", remedy))
    return faults


def _shape_faults(where: str, probabilities: np.ndarray, labels: np.ndarray) -> list[str]:
    if probabilities.ndim == 2 and labels.shape == probabilities.shape[:1] and probabilities.size:
        return []
    rule = "must be probabilities of shape (N, C) and labels of shape (N,), with N and C at least 1"
    return [fault(where, rule, f"{probabilities.shape} and {labels.shape}", "Give a row for every label.")]


def _value_faults(where: str, probabilities: np.ndarray, labels: np.ndarray) -> list[str]:
    faults, num_classes = [], probabilities.shape[1]
    sums = probabilities.sum(axis=1)
    wrong = ~(np.abs(sums - 1) <= _TOLERANCE) | (probabilities < 0).any(axis=1)  # not <=: catches NaN too
    if wrong.any():
        value = f"{int(wrong.sum())} rows that are not, the first with the sum {sums[wrong][0]:.4g}"
        faults.append(fault(where, "rows must be non-negative and sum to 1", value, "Apply softmax in float32."))
    if labels.min() < 0 or labels.max() >= num_classes:
        value = f"labels from {labels.min()} to {labels.max()}"
        remedy = "Use the head's classes for the labels."
        faults.append(fault(where, f"labels must be in [0, {num_classes})", value, remedy))
    return faults
