"""LogME: the log evidence of a Bayesian linear head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal, lapack
from scipy.optimize import minimize_scalar

from translearn.ranking.scores._inputs import checked_features, one_hot
from translearn.ranking.scores._spectrum import spectrum, unit_scale

# ln(alpha / beta), relative to the largest eigenvalue: from a noiseless fit to pure noise.
_LOG_RATIOS = np.log(10.0) * np.linspace(-10, 10, 81)
#: From so many examples on, and so many features an example, a tridiagonal form is found faster than eigenvectors: at
#: 1333 x 2048 in 0.18 s instead of 0.45 (one thread, OpenBLAS of SciPy).
_TRIDIAGONAL_EXAMPLES, _TRIDIAGONAL_WIDTH = 200, 0.7

#: From ln(r) and the place of a class, or of all, to its Q = |Fm - y|^2 + r |m|^2, and to minus ln|I + FF'/r|.
_Terms = Callable[[float, slice], tuple[np.ndarray, float]]


def logme(features: np.ndarray, labels: np.ndarray, *, gram: np.ndarray | None = None) -> float:
    """Log of maximum evidence, per example, mean over classes.

    Each class's indicator y is modelled as Fw + noise, w ~ N(0, 1/alpha), noise ~ N(0, 1/beta). The
    paper iterates alpha and beta to a fixed point; here the same evidence is maximised directly: given
    r = alpha/beta the best beta is N/Q, Q = |Fm - y|^2 + r |m|^2, which leaves one variable. A reference
    implementation drops (D - K) ln(alpha) from ln|A| where N < D; it cancels exactly here.

    Args:
        features: Real, shape (N, D), from a source backbone; their scale and rotation do not matter.
        labels: Integers, shape (N,).
        gram: F F' of these features at any scale, shape (N, N), where it is known.

    Returns:
        Nats per example, higher is better. Zero features give the evidence of noise alone. r is held
        in [1e-10, 1e10] times the largest eigenvalue of F'F, which bounds the score of a perfect fit.

    Raises:
        InputError: the inputs break a rule.

    Source: You et al., ICML 2021, section 4.
    """
    x_ND, y = checked_features(features, labels)
    y_NC, num = one_hot(y), len(y)
    is_wide = num >= _TRIDIAGONAL_EXAMPLES and x_ND.shape[1] >= _TRIDIAGONAL_WIDTH * num and x_ND.any()
    terms = _of_gram(_gram(x_ND) if gram is None else gram, y_NC) if is_wide else _of_spectrum(x_ND, y_NC)
    places = _best_on_grid(terms, num)
    return float(np.mean([_max_evidence(terms, label, num, place) for label, place in enumerate(places)]) / num)


def _gram(x_ND: np.ndarray) -> np.ndarray:
    scaled = unit_scale(x_ND, centre=False)
    gram_NN: np.ndarray = scaled @ scaled.T
    return gram_NN


def _of_spectrum(x_ND: np.ndarray, y_NC: np.ndarray) -> _Terms:
    """Return the terms from the eigenvectors of FF': Q = sum (u'y)^2 / (1 + s/r), and what no feature explains."""
    s, u_NK = spectrum(x_ND, centre=False)
    projected_KC = (u_NK.T @ y_NC) ** 2
    residual_C = np.maximum(y_NC.sum(axis=0) - projected_KC.sum(axis=0), 0.0)
    relative = s / s[0] if s.size else s

    def terms(log_ratio: float, classes: slice) -> tuple[np.ndarray, float]:
        shrunk_K = 1 / (1 + relative * np.exp(-log_ratio))
        return residual_C[classes] + shrunk_K @ projected_KC[:, classes], float(np.log(shrunk_K).sum())

    return terms


def _of_gram(gram_NN: np.ndarray, y_NC: np.ndarray) -> _Terms:
    """Return the same from FF' = P T P' with T tridiagonal: Q = z' (I + T/r)^-1 z with z = P'y."""
    reflectors, diagonal, beside, tau, _ = lapack.dsytrd(gram_NN.T, lower=1, lwork=64 * len(gram_NN))
    # P leaves the first axis as it is; on the others it is a product of reflectors like that of a QR decomposition.
    rest, *_ = lapack.dormqr("L", "T", reflectors[1:, :-1], tau, y_NC[1:], 64 * y_NC.shape[1])
    z_NC = np.concatenate([y_NC[:1], rest])
    last = len(gram_NN) - 1
    (largest,) = eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(last, last))

    def terms(log_ratio: float, classes: slice) -> tuple[np.ndarray, float]:
        ratio = largest * np.exp(log_ratio)
        factor, below, _ = lapack.dpttrf(diagonal / ratio + 1, beside / ratio)
        solved_NC, _ = lapack.dpttrs(factor, below, z_NC[:, classes])
        return (z_NC[:, classes] * solved_NC).sum(axis=0), -float(np.log(factor).sum())

    return terms


def _best_on_grid(terms: _Terms, num: int) -> np.ndarray:
    """Return for each class the place in ``_LOG_RATIOS`` of the highest evidence: int64, shape (C,)."""
    evidence_RC = np.array([_evidence(*terms(log_ratio, slice(None)), num) for log_ratio in _LOG_RATIOS])
    return np.asarray(evidence_RC.argmax(axis=0))


def _max_evidence(terms: _Terms, label: int, num: int, start: int) -> float:
    """Return the best log evidence over alpha and beta, near a place of the grid: Brent's method finds the top."""

    def loss(log_ratio: float) -> float:
        return -float(_evidence(*terms(log_ratio, slice(label, label + 1)), num)[0])

    around = _LOG_RATIOS[max(start - 1, 0)], _LOG_RATIOS[min(start + 1, len(_LOG_RATIOS) - 1)]
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-9})
    return -min(loss(_LOG_RATIOS[start]), float(found.fun))


def _evidence(q_C: np.ndarray, log_det: float, num: int) -> np.ndarray:
    return np.asarray(num * (np.log(num / q_C) - 1 - np.log(2 * np.pi)) + log_det) / 2
