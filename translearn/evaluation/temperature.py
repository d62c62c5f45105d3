"""Temperature scaling: one number, fitted on validation, that calibrates confidence and changes no prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from translearn.evaluation.predictions import Predictions

_BOUNDS = (np.log(0.05), np.log(20.0))  # without a mistake on validation, none is too sure: a limit is needed
_LEAST = float(np.finfo(np.float64).tiny)


def fit_temperature(validation: Predictions) -> float:
    """Fit the temperature with the lowest mean cross-entropy on validation, in [0.05, 20].

    Above 1: the model is too sure, and its logits are to be divided by more.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    logits_NC = _logits(validation)

    def cost(log_temperature: float) -> float:
        return float(_scaled(validation, logits_NC, float(np.exp(log_temperature))).losses.mean())

    return float(np.exp(minimize_scalar(cost, bounds=_BOUNDS, method="bounded", options={"xatol": 1e-6}).x))


def scaled(predictions: Predictions, temperature: float) -> Predictions:
    """Return the same predictions with their logits divided by a temperature."""
    return _scaled(predictions, _logits(predictions), temperature)


def _logits(predictions: Predictions) -> np.ndarray:
    logits: np.ndarray = np.log(np.maximum(predictions.probabilities, _LEAST))
    return logits


def _scaled(predictions: Predictions, logits_NC: np.ndarray, temperature: float) -> Predictions:
    return replace(predictions, probabilities=softmax(logits_NC / temperature, axis=1))
