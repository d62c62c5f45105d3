"""Calibration: agreement of a model's confidence with its accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import by_picture, half_width
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.temperature import fit_temperature, scaled

NUM_BINS = 15


def reliability(predictions: Predictions, num_bins: int = NUM_BINS) -> list[dict[str, Any]]:
    """Return bins of equal width over the confidence: ``low, high, num, confidence, accuracy``.

    A bin holds the examples with ``low < confidence <= high``; ``confidence`` and ``accuracy`` are their
    means, None for an empty bin.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
    """
    confidence, right = predictions.probabilities.max(axis=1), ~predictions.errors
    index = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return [_bin(b, num_bins, confidence[index == b], right[index == b]) for b in range(num_bins)]


def expected_calibration_error(bins: list[dict[str, Any]]) -> float:
    """Return the ECE in [0, 1], lower is better: mean of |accuracy - confidence| over bins, weighted by their examples.

    Source: Guo et al., ICML 2017, equation 3.
    """
    filled = [b for b in bins if b["num"]]
    total = sum(b["num"] for b in filled)
    return float(sum(b["num"] * abs(b["accuracy"] - b["confidence"]) for b in filled) / total)


def calibration(test: Predictions, validation: Predictions) -> dict[str, Any]:
    """Return the calibration of one model on test, before and after temperature scaling, as JSON.

    Args:
        test: Its predictions on test.
        validation: Its predictions on validation, which alone decide the temperature.

    Returns:
        ``temperature``; ``before`` and ``after``, each with ``ece, confidence`` (its mean), ``bins``, and with their
        intervals over examples ``brier`` and ``loss`` (mean cross-entropy, nats); ``change``, after minus before,
        paired, of ``brier`` and ``loss``: below 0 where scaling helped.
    """
    temperature = fit_temperature(validation)
    after = scaled(test, temperature)
    changes = {"brier": _briers(after) - _briers(test), "loss": after.losses - test.losses}
    pictures = test.pictures
    return {
        "temperature": temperature,
        "before": _figures(test),
        "after": _figures(after),
        "change": {name: _mean(values, pictures) for name, values in changes.items()},
    }


def _figures(predictions: Predictions) -> dict[str, Any]:
    bins = reliability(predictions)
    return {
        "ece": expected_calibration_error(bins),
        "brier": _mean(_briers(predictions), predictions.pictures, least=0.0),
        "loss": _mean(predictions.losses, predictions.pictures, least=0.0),
        "confidence": float(predictions.probabilities.max(axis=1).mean()),
        "bins": bins,
    }


def _briers(predictions: Predictions) -> np.ndarray:
    """Return the Brier score of each example, in [0, 2], lower is better.

    Source: Brier, Monthly Weather Review 78 (1950) 1-3, the form summed over classes.
    """
    distance = predictions.probabilities.copy()
    distance[np.arange(len(distance)), predictions.labels] -= 1
    squares: np.ndarray = (distance**2).sum(axis=1)
    return squares


def _mean(values_N: np.ndarray, pictures_N: np.ndarray | None, least: float = -np.inf) -> dict[str, float]:
    value, half = float(values_N.mean()), half_width(by_picture(values_N[None], pictures_N))
    return {"value": value, "low": max(least, value - half), "high": value + half}


def _bin(b: int, num_bins: int, confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    return {
        "low": b / num_bins,
        "high": (b + 1) / num_bins,
        "num": len(right),
        "confidence": float(confidence.mean()) if len(right) else None,
        "accuracy": float(right.mean()) if len(right) else None,
    }
