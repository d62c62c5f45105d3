"""Moderated variances of many comparisons with few repeats each."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

#: The most degrees of freedom that a common variance is taken to have: to all purposes infinitely many.
_MOST = 1e6
_MOST_TIMES = 4
_LEAST_SHARE = 1e-5  # of the median: a variance of 0 has no logarithm


def moderated(variances: np.ndarray, degrees: int) -> tuple[np.ndarray, float]:
    """Draw each variance up towards the common one; return the variances and their degrees of freedom.

    Three repeats estimate a variance so badly that an interval which has to hold together with nineteen others is
    seven times as wide as with many. The more alike the variances are, the more they tell of each other.

    Args:
        variances: float64, shape (K,): estimates, at least 0, each with the same degrees of freedom.
        degrees: Those, at least 1.

    Returns:
        The moderated variances, (K,), and their degrees of freedom: from ``degrees`` to 4 times ``degrees``.

    Source: Smyth, Statistical Applications in Genetics and Molecular Biology 3 (2004), article 3, section 6.2; what is
        done about 0, and that K variances have no more than K times ``degrees``, are those of his package limma. Ours,
        because repeats of some comparisons may vary far more than others': no variance is drawn down, and there are no
        more than 4 times ``degrees``. Simulated null matrices: docs/evaluation.md.
    """
    num, least = len(variances), _LEAST_SHARE * float(np.median(variances))
    if num < 2 or least < np.finfo(np.float64).tiny:
        return variances, float(degrees)
    logs = np.log(np.maximum(variances, least)) - digamma(degrees / 2) + np.log(degrees / 2)
    prior_degrees = _prior_degrees(float(logs.var(ddof=1)) - float(polygamma(1, degrees / 2)))
    prior = np.exp(logs.mean() + digamma(prior_degrees / 2) - np.log(prior_degrees / 2))
    drawn = (prior_degrees * prior + degrees * variances) / (prior_degrees + degrees)
    return np.maximum(drawn, variances), float(min(prior_degrees + degrees, degrees * min(num, _MOST_TIMES)))


def _prior_degrees(excess: float) -> float:
    """Return the prior's degrees of freedom, from the excess variance of the logarithms over their estimation error."""
    least, most = 1e-3, _MOST / 2
    if excess <= polygamma(1, most):
        return _MOST
    return 2 * float(brentq(lambda half: float(polygamma(1, half)) - excess, least, most))
