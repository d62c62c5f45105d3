"""Figures over targets of the benchmark ``choosing``: means, ratios and differences, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import t as student_t

#: By searcher: ``trials``, ``seconds``, ``near`` and ``regret``.
TargetCosts = dict[str, dict[str, float]]
#: By target and data seed.
Costs = Mapping[tuple[str, int], TargetCosts]


def over_targets(costs: Costs, name: str) -> dict[str, Any]:
    """The figures of a searcher."""
    logs = {figure: _by_target(costs, lambda found, f=figure: math.log(found[name][f])) for figure in _COSTS}
    plain = {figure: _by_target(costs, lambda found, f=figure: found[name][f]) for figure in ("near", "regret")}
    return {**{f: _exponential(_mean(v)) for f, v in logs.items()}, **{f: _mean(v) for f, v in plain.items()}}


def ratios(costs: Costs, one: str, other: str) -> dict[str, Any]:
    """The costs of a searcher over those of another one, on the same targets."""
    return {
        figure: _exponential(
            _mean(_by_target(costs, lambda found, f=figure: math.log(found[one][f] / found[other][f])))
        )
        for figure in _COSTS
    }


def differences(costs: Costs, one: str, other: str) -> dict[str, float]:
    """The regret of a searcher minus that of another one, on the same targets."""
    return _mean(_by_target(costs, lambda found: found[one]["regret"] - found[other]["regret"]))


_COSTS = ("trials", "seconds")


def _by_target(costs: Costs, figure: Callable[[TargetCosts], float]) -> list[float]:
    """The mean of a target's data seeds, for each target: seeds of a target are not independent."""
    targets = dict.fromkeys(name for name, _ in costs)
    return [
        float(np.mean([figure(found) for (name, _), found in costs.items() if name == target])) for target in targets
    ]


def _mean(values: list[float]) -> dict[str, float]:
    """The mean over targets with a 95 % t interval; without one for a single target."""
    num, middle = len(values), float(np.mean(values))
    if num == 1:
        return {"mean": middle, "n": 1}
    half = float(student_t.ppf(0.975, num - 1) * np.std(values, ddof=1) / math.sqrt(num))
    return {"mean": middle, "low": middle - half, "high": middle + half, "n": num}


def _exponential(logs: dict[str, float]) -> dict[str, float]:
    return {name: value if name == "n" else math.exp(value) for name, value in logs.items()}
