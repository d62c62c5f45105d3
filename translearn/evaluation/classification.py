"""Errors of one model: averages over classes, a row a class, and the most confused pairs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import one_model
from translearn.evaluation.predictions import Predictions, subset

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


def per_class(predictions: Predictions, matrix_CC: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    """Return a row a class: ``class, num, error, low, high, precision, recall``; None for undefined values.

    Args:
        predictions: Of one model.
        matrix_CC: Their ``confusion``.
        classes: The C names, in order of the labels.
    """
    predicted, right = matrix_CC.sum(axis=0).tolist(), matrix_CC.diagonal().tolist()
    return [
        _class_row(name, subset(predictions, np.flatnonzero(predictions.labels == label)), *counts)
        if (predictions.labels == label).any()
        else _empty_row(name)
        for label, (name, *counts) in enumerate(zip(classes, predicted, right, strict=True))
    ]


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
        "per_class": per_class(predictions, matrix, classes),
        "confused_pairs": confused_pairs(matrix, classes),
        "confusion": matrix.tolist() if len(classes) <= _MAX_DENSE_CLASSES else None,
    }


def _class_row(name: str, own: Predictions, num_predicted: int, num_right: int) -> dict[str, Any]:
    num = len(own.labels)
    return {
        "class": name,
        "num": num,
        "error": 1 - num_right / num,
        **asdict(one_model(own.errors, own.pictures)),
        "precision": num_right / num_predicted if num_predicted else None,
        "recall": num_right / num,
    }


def _empty_row(name: str) -> dict[str, Any]:
    return {"class": name, "num": 0, **dict.fromkeys(("error", "low", "high", "precision", "recall"))}


def _pair_row(matrix_CC: np.ndarray, classes: list[str], i: int, j: int) -> dict[str, Any]:
    num = int(matrix_CC[i, j])
    return {"class": classes[i], "predicted": classes[j], "num": num, "fraction": num / int(matrix_CC[i].sum())}
