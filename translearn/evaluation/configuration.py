"""Figures of one configuration over its seeds: target error, each seed's model, selection optimism."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.evaluation.classification import averages
from translearn.evaluation.intervals.interval import crossed_wilson, one_model, over_seeds
from translearn.evaluation.intervals.optimism import optimism
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.verdict.transfer import method


def configuration(
    trial: dict[str, Any], test: Sequence[Predictions], validation: Sequence[Predictions]
) -> dict[str, Any]:
    """Return the figures of one configuration, as JSON.

    Args:
        trial: The trial that was refitted; ``val_error`` is its validation error in the search.
        test: Its refits' predictions on test, one a seed.
        validation: The same models' predictions on validation, in the same order.
    """
    errors_SN = np.stack([p.errors for p in test])
    spread = over_seeds([p.error for p in test], 0, 1)
    return {
        "trial": dict(trial),
        "error": float(errors_SN.mean()),
        **asdict(crossed_wilson(errors_SN, pictures_N=test[0].pictures)),
        "balanced_error": float(np.mean([averages(p)["balanced_error"] for p in test])),
        "method": method(len(test)),
        "over_seeds": asdict(spread) if spread else None,
        "optimism": optimism(trial.get("val_error"), validation, test),
        "models": [_model(t, v) for t, v in zip(test, validation, strict=True)],
    }


def winner(configurations: dict[str, dict[str, Any]]) -> str:
    """Return the role with the lowest mean validation error over the seeds, not reading test; the first on a tie."""
    means = {
        role: float(np.mean([model["validation_error"] for model in made["models"]]))
        for role, made in configurations.items()
    }
    return min(means, key=lambda role: means[role])


def best_model(models: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the model with the lowest validation error, without looking at test; the lowest seed on a tie."""
    return dict(min(models, key=lambda m: (m["validation_error"], m["seed"])))


def _model(test: Predictions, validation: Predictions) -> dict[str, Any]:
    return {
        "seed": test.seed,
        "error": test.error,
        **asdict(one_model(test.errors, test.pictures)),
        "validation_error": validation.error,
        "validation_minus_test": validation.error - test.error,
    }
