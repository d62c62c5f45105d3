"""LogME: the log evidence of a Bayesian linear head."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import spectrum

# ln(alpha / beta), relative to the largest eigenvalue: from a noiseless fit to pure noise.
_LOG_RATIOS = np.log(10.0) * np.linspace(-10, 10, 81)


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Log of maximum evidence, per example, mean over classes.

    Each class's indicator y is modelled as Fw + noise, w ~ N(0, 1/alpha), noise ~ N(0, 1/beta). The
    paper iterates alpha and beta to a fixed point; here the same evidence is maximised directly: given
    r = alpha/beta the best beta is N/Q, Q = |Fm - y|^2 + r |m|^2, which leaves one variable. A reference
    implementation drops (D - K) ln(alpha) from ln|A| where N < D; it cancels exactly here.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).

    Returns:
        Nats per example, higher is better. Zero features give the evidence of noise alone. r is held
        in [1e-10, 1e10] times the largest eigenvalue of F'F, which bounds the score of a perfect fit.

    Raises:
        InputError: the inputs break a rule.

    Source: You et al., ICML 2021, section 4.
    """
    x_ND, y = checked_features(features, labels)
    s, u_NK = spectrum(x_ND, centre=False)
    y_NC = one_hot(y)
    projected_KC = (u_NK.T @ y_NC) ** 2
    residual_C = np.maximum(y_NC.sum(axis=0) - projected_KC.sum(axis=0), 0.0)
    relative = s / s[0] if s.size else s
    start_C = _best_on_grid(relative, projected_KC, residual_C, len(y))
    evidence = [
        _max_evidence(relative, p, r, len(y), start)
        for p, r, start in zip(projected_KC.T, residual_C, start_C, strict=True)
    ]
    return float(np.mean(evidence) / len(y))


def _best_on_grid(s: np.ndarray, projected_KC: np.ndarray, residual_C: np.ndarray, num: int) -> np.ndarray:
    """Return for each class the place in ``_LOG_RATIOS`` of the highest evidence: int64, shape (C,)."""
    shrunk_RK = 1 / (1 + s * np.exp(-_LOG_RATIOS)[:, None])
    q_RC = residual_C + shrunk_RK @ projected_KC
    evidence_RC = _evidence(q_RC, np.log(shrunk_RK).sum(axis=1)[:, None], num)
    return np.asarray(evidence_RC.argmax(axis=0))


def _max_evidence(s: np.ndarray, projected_K: np.ndarray, residual: float, num: int, start: int) -> float:
    """Return the best log evidence over alpha and beta, near a place of the grid: Brent's method finds the top."""

    def loss(log_ratio: float) -> float:
        shrunk_K = 1 / (1 + s * np.exp(-log_ratio))
        return -float(_evidence(residual + projected_K @ shrunk_K, np.log(shrunk_K).sum(), num))

    around = _LOG_RATIOS[max(start - 1, 0)], _LOG_RATIOS[min(start + 1, len(_LOG_RATIOS) - 1)]
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-9})
    return -min(loss(_LOG_RATIOS[start]), float(found.fun))


def _evidence(q: np.ndarray, log_det: np.ndarray, num: int) -> np.ndarray:
    return np.asarray(num * (np.log(num / q) - 1 - np.log(2 * np.pi)) + log_det) / 2
