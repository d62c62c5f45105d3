"""The content of evaluation.json: every figure of the report, with its interval. docs/evaluation.md lists the keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.errors import fault, raise_faults
from translearn.evaluate.calibration import calibration
from translearn.evaluate.classification import classification
from translearn.evaluate.interval import CONFIDENCE, crossed_wilson, over_seeds, wilson
from translearn.evaluate.predictions import SCRATCH, TRANSFER, Predictions, comparable_faults, of_role
from translearn.evaluate.sentences import sentence
from translearn.evaluate.transfer import method, transfer_gain


def evaluate(
    predictions: Sequence[Predictions],
    validation: Sequence[Predictions],
    classes: Sequence[str],
    *,
    trials: dict[str, dict[str, Any]],
    num_train: int | None = None,
    forgetting: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything a study claims about its models, as JSON without NaN or infinity.

    Args:
        predictions: On test, of the best transferred configuration and of scratch, with the same seeds.
        validation: The same models' predictions on validation. They choose the winner and the deployed model.
        classes: The C class names, in order of the labels.
        trials: By role, the trial that was refitted; ``source``, ``freeze_depth`` and ``lr`` are needed.
        num_train: How many training examples the models had.
        forgetting: What ``forgetting.forgetting`` gave, where the source's data is at hand.

    Returns:
        The keys of docs/evaluation.md.

    Raises:
        InputError: Predictions are missing or do not fit each other; every fault at once.
    """
    raise_faults(_faults(predictions, validation, classes))
    by_role = {role: of_role(predictions, role) for role in (TRANSFER, SCRATCH)}
    configurations = {
        role: {"trial": dict(trials[role]), **_role(by_role[role], of_role(validation, role))} for role in by_role
    }
    winner = _winner(configurations)
    deployed = {"role": winner, **_deployed(configurations[winner]["models"])}
    model = next(p for p in by_role[winner] if p.seed == deployed["seed"])
    evaluation: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "classes": list(classes),
        "num_train": num_train,
        "num_test": len(model.labels),
        "num_validation": len(validation[0].labels),
        "winner": {"role": winner, **trials[winner]},
        "target": configurations[winner],
        "configurations": configurations,
        "transfer": asdict(transfer_gain(by_role[TRANSFER], by_role[SCRATCH])),
        "deployed": deployed,
        "classification": classification(model, list(classes)),
        "calibration": calibration(model),
        "forgetting": forgetting,
    }
    whole: dict[str, Any] = finite({"summary": sentence(evaluation), **evaluation})
    return whole


def finite(value: Any) -> Any:
    """The same nest of dicts and lists with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _role(test: list[Predictions], validation: list[Predictions]) -> dict[str, Any]:
    """One configuration over its seeds: the mean test error with its interval, and each seed's model."""
    errors_SN = np.stack([p.errors for p in test])
    spread = over_seeds([p.error for p in test])
    return {
        "error": float(errors_SN.mean()),
        **asdict(crossed_wilson(errors_SN)),
        "method": method(len(test)),
        "over_seeds": asdict(spread) if spread else None,
        "models": [_model(t, v) for t, v in zip(test, validation, strict=True)],
    }


def _winner(configurations: dict[str, dict[str, Any]]) -> str:
    """The role with the lower mean validation error over the seeds; test has no say. Transfer on a tie."""
    means = {
        role: float(np.mean([model["validation_error"] for model in configuration["models"]]))
        for role, configuration in configurations.items()
    }
    return SCRATCH if means[SCRATCH] < means[TRANSFER] else TRANSFER


def _model(test: Predictions, validation: Predictions) -> dict[str, Any]:
    return {
        "seed": test.seed,
        "error": test.error,
        **asdict(wilson(int(test.errors.sum()), len(test.errors))),
        "validation_error": validation.error,
        "validation_minus_test": validation.error - test.error,
    }


def _deployed(models: list[dict[str, Any]]) -> dict[str, Any]:
    """The model with the lowest validation error; test has no say. The lowest seed on a tie."""
    return dict(min(models, key=lambda m: (m["validation_error"], m["seed"])))


def _faults(predictions: Sequence[Predictions], validation: Sequence[Predictions], classes: Sequence[str]) -> list[str]:
    faults = []
    test_runs, validation_runs = ([(p.role, p.seed) for p in group] for group in (predictions, validation))
    missing = sorted({TRANSFER, SCRATCH} - {role for role, _ in test_runs})
    if missing:
        faults.append(fault("evaluation", "needs predictions of both roles", f"none of {missing}", "Refit both."))
    if sorted(test_runs) != sorted(validation_runs):
        value = f"{sorted(test_runs)} on test and {sorted(validation_runs)} on validation"
        faults.append(fault("evaluation", "every model must predict both splits", value, "Predict both."))
    widths = {p.probabilities.shape[1] for p in (*predictions, *validation)}
    if widths - {len(classes)}:
        rule = f"probabilities must have {len(classes)} columns, one a class"
        faults.append(fault("evaluation", rule, sorted(widths), "Give the classes of the head."))
    return faults + comparable_faults("test", predictions) + comparable_faults("validation", validation)
