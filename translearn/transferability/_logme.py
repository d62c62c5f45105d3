"""LogME: the log evidence of a Bayesian linear head."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from translearn.transferability._inputs import checked_features, one_hot
from translearn.transferability._spectrum import spectrum

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
    evidence = [_max_evidence(relative, p, r, len(y)) for p, r in zip(projected_KC.T, residual_C, strict=True)]
    return float(np.mean(evidence) / len(y))


def _max_evidence(s: np.ndarray, projected: np.ndarray, residual: float, num: int) -> float:
    """The best log evidence over alpha and beta: a grid finds the peak's place, Brent's method its top."""

    def evidence(log_ratio: float) -> float:
        shrunk = 1 / (1 + s * np.exp(-log_ratio))
        q = residual + projected @ shrunk
        return float(num * (np.log(num / q) - 1 - np.log(2 * np.pi)) + np.log(shrunk).sum()) / 2

    values = [evidence(log_ratio) for log_ratio in _LOG_RATIOS]
    best = int(np.argmax(values))
    around = _LOG_RATIOS[max(best - 1, 0)], _LOG_RATIOS[min(best + 1, len(values) - 1)]
    found = minimize_scalar(lambda ratio: -evidence(ratio), bounds=around, method="bounded", options={"xatol": 1e-9})
    return max(values[best], -float(found.fun))
