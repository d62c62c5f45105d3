"""Errors of one model: averages over classes, a row a class, and the most confused pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import wilson
from translearn.evaluation.predictions import Predictions

_MAX_DENSE_CLASSES = 200  # a larger confusion matrix would be most of evaluation.json; the pairs remain


def confusion(predictions: Predictions) -> np.ndarray:
    """Return the number of examples of each class (row) predicted as each class (column): int64, shape (C, C)."""
    from sklearn.metrics import confusion_matrix

    classes = np.arange(predictions.probabilities.shape[1])
    matrix: np.ndarray = confusion_matrix(predictions.labels, predictions.predicted, labels=classes)
    return matrix


def averages(predictions: Predictions) -> dict[str, float]:
    """Return error, balanced error and macro F1, each in [0, 1]; classes without an example do not count.

    Returns:
        ``error`` (lower is better), ``balanced_error`` (mean of the classes' errors; lower is better) and
        ``macro_f1`` (mean of the classes' F1; higher is better).
    """
    from sklearn.metrics import f1_score, recall_score

    options: dict[str, Any] = {"labels": np.unique(predictions.labels), "average": "macro", "zero_division": 0.0}
    pair = predictions.labels, predictions.predicted
    balanced = 1 - float(recall_score(*pair, **options))
    return {"error": predictions.error, "balanced_error": balanced, "macro_f1": float(f1_score(*pair, **options))}


def per_class(matrix_CC: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    """Return a row a class: ``class, num, error, low, high, precision, recall``; None for undefined values.

    Args:
        matrix_CC: Of ``confusion``.
        classes: The C names, in order of the labels.
    """
    nums, predicted, right = matrix_CC.sum(axis=1), matrix_CC.sum(axis=0), matrix_CC.diagonal()
    counts = zip(classes, nums.tolist(), predicted.tolist(), right.tolist(), strict=True)
    return [_class_row(*row) for row in counts]


def confused_pairs(matrix_CC: np.ndarray, classes: list[str], limit: int = 10) -> list[dict[str, Any]]:
    """Return the most frequent mistakes: ``class, predicted, num`` and the fraction of that class; most first."""
    wrong = matrix_CC - np.diag(matrix_CC.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    cells = [divmod(int(cell), len(classes)) for cell in order]
    return [_pair_row(matrix_CC, classes, i, j) for i, j in cells if wrong[i, j]]


def classification(predictions: Predictions, classes: list[str]) -> dict[str, Any]:
    """Return all figures above of one model, as JSON; the matrix itself is None above 200 classes."""
    matrix = confusion(predictions)
    return {
        **averages(predictions),
        "per_class": per_class(matrix, classes),
        "confused_pairs": confused_pairs(matrix, classes),
        "confusion": matrix.tolist() if len(classes) <= _MAX_DENSE_CLASSES else None,
    }


def _class_row(name: str, num: int, num_predicted: int, num_right: int) -> dict[str, Any]:
    interval = wilson(num - num_right, num) if num else None
    return {
        "class": name,
        "num": num,
        "error": 1 - num_right / num if num else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "precision": num_right / num_predicted if num_predicted else None,
        "recall": num_right / num if num else None,
    }


def _pair_row(matrix_CC: np.ndarray, classes: list[str], i: int, j: int) -> dict[str, Any]:
    num = int(matrix_CC[i, j])
    return {"class": classes[i], "predicted": classes[j], "num": num, "fraction": num / int(matrix_CC[i].sum())}
