"""Learning speed on validation: jumpstart, asymptotic error, and time to a threshold.

Source: Taylor & Stone, Journal of Machine Learning Research 10 (2009) 1633-1685, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from translearn.evaluation.intervals.interval import over_seeds

_LAST_PART = 0.1  # of the epochs, whose mean is the smoothed asymptotic error


@dataclass(frozen=True)
class Curve:
    """One refit's curve.

    Attributes:
        errors: Validation error after each epoch.
        seconds: Wall time of each epoch.
    """

    errors: Sequence[float]
    seconds: Sequence[float]


def dynamics(curves: dict[str, Sequence[Curve]]) -> dict[str, Any]:
    """Summarise the curves of each role, one a seed and in the same order.

    Args:
        curves: By role; ``scratch`` among them, whose mean error after the last epoch is the threshold.

    Returns:
        ``threshold``; ``last_epochs``, how many are averaged in ``asymptote``; ``roles``, by role: ``first``, ``last``
        and ``asymptote``, each ``value, low, high`` over seeds, and ``epochs_to_threshold`` and
        ``seconds_to_threshold`` (below); ``gains``, by role but for scratch: ``jumpstart`` (error of scratch minus the
        role's after the first epoch) and ``asymptotic`` (likewise, of ``asymptote``), paired by seed, positive where
        the role is better.
    """
    threshold = float(np.mean([curve.errors[-1] for curve in curves["scratch"]]))
    num_last = max(1, round(_LAST_PART * len(curves["scratch"][0].errors)))
    made = {role: _of_role(found, threshold, num_last) for role, found in curves.items()}
    gains = {role: _gains(found, curves["scratch"], num_last) for role, found in curves.items() if role != "scratch"}
    return {"threshold": threshold, "last_epochs": num_last, "roles": made, "gains": gains}


def _of_role(curves: Sequence[Curve], threshold: float, num_last: int) -> dict[str, Any]:
    reached = [_epochs_to(curve, threshold) for curve in curves]
    seconds = [None if n is None else float(sum(c.seconds[:n])) for c, n in zip(curves, reached, strict=True)]
    return {
        "first": _mean([curve.errors[0] for curve in curves], 0, 1),
        "last": _mean([curve.errors[-1] for curve in curves], 0, 1),
        "asymptote": _mean([_asymptote(curve, num_last) for curve in curves], 0, 1),
        "epochs_to_threshold": _censored(reached),
        "seconds_to_threshold": _censored(seconds),
    }


def _gains(curves: Sequence[Curve], scratch: Sequence[Curve], num_last: int) -> dict[str, Any]:
    pairs = list(zip(curves, scratch, strict=True))
    return {
        "jumpstart": _mean([s.errors[0] - c.errors[0] for c, s in pairs], -1, 1),
        "asymptotic": _mean([_asymptote(s, num_last) - _asymptote(c, num_last) for c, s in pairs], -1, 1),
    }


def _asymptote(curve: Curve, num_last: int) -> float:
    return float(np.mean(curve.errors[-num_last:]))


def _epochs_to(curve: Curve, threshold: float) -> int | None:
    """Return the number of epochs until the error is at or below the threshold; None where it never is."""
    reached = np.flatnonzero(np.asarray(curve.errors) <= threshold)
    return int(reached[0]) + 1 if len(reached) else None


def _mean(values: Sequence[float], least: float, most: float) -> dict[str, Any]:
    """Return mean and t interval over seeds; ``low`` and ``high`` are None below three seeds."""
    interval = over_seeds(values, least, most)
    ends = {"low": interval.low, "high": interval.high} if interval else {"low": None, "high": None}
    return {"value": float(np.mean(values)), **ends}


def _censored(values: Sequence[float | None]) -> dict[str, Any]:
    """Return ``of_seeds``, ``num_censored`` (never reached), and mean and interval where every seed reached it."""
    known = [float(value) for value in values if value is not None]
    whole = _mean(known, 0, inf) if len(known) == len(values) else dict.fromkeys(("value", "low", "high"))
    return {**whole, "of_seeds": list(values), "num_censored": len(values) - len(known)}
