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
from translearn.evaluate.predictions import SCRATCH, WINNER, Predictions, comparable_faults, of_role
from translearn.evaluate.sentences import sentence
from translearn.evaluate.transfer import method, transfer_gain


def evaluate(
    predictions: Sequence[Predictions],
    validation: Sequence[Predictions],
    classes: Sequence[str],
    *,
    winner: dict[str, Any],
    forgetting: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything a study claims about its models, as JSON without NaN or infinity.

    Args:
        predictions: On test: the winner's, one a seed; and scratch's, with the same seeds, unless scratch won.
        validation: The same models' predictions on validation. They choose the deployed model.
        classes: The C class names, in order of the labels.
        winner: The winning trial; ``source``, ``freeze_depth`` and ``lr`` are needed. It is passed through.
        forgetting: What ``forgetting.forgetting`` gave, where the source's data is at hand.

    Returns:
        The keys of docs/evaluation.md.

    Raises:
        InputError: Predictions are missing or do not fit each other; every fault at once.
    """
    raise_faults(_faults(predictions, validation, classes))
    winners, baseline = of_role(predictions, WINNER), of_role(predictions, SCRATCH)
    roles = {role: _role(of_role(predictions, role), of_role(validation, role)) for role in (WINNER, SCRATCH)}
    deployed = _deployed(roles[WINNER]["models"])
    model = next(p for p in winners if p.seed == deployed["seed"])
    evaluation: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "classes": list(classes),
        "num_test": len(winners[0].labels),
        "num_validation": len(validation[0].labels),
        "winner": dict(winner),
        "target": roles[WINNER],
        "scratch": roles[SCRATCH] if baseline else None,
        "transfer": asdict(transfer_gain(winners, baseline)) if baseline else None,
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
    if not test:
        return {}
    errors_SN = np.stack([p.errors for p in test])
    spread = over_seeds([p.error for p in test])
    return {
        "error": float(errors_SN.mean()),
        **asdict(crossed_wilson(errors_SN)),
        "method": method(len(test)),
        "over_seeds": asdict(spread) if spread else None,
        "models": [_model(t, v) for t, v in zip(test, validation, strict=True)],
    }


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
    if WINNER not in [role for role, _ in test_runs]:
        faults.append(fault("evaluation", "needs the winner's predictions on test", test_runs, "Refit the winner."))
    if sorted(test_runs) != sorted(validation_runs):
        value = f"{sorted(test_runs)} on test and {sorted(validation_runs)} on validation"
        faults.append(fault("evaluation", "every model must predict both splits", value, "Predict both."))
    widths = {p.probabilities.shape[1] for p in (*predictions, *validation)}
    if widths - {len(classes)}:
        rule = f"probabilities must have {len(classes)} columns, one a class"
        faults.append(fault("evaluation", rule, sorted(widths), "Give the classes of the head."))
    return faults + comparable_faults("test", predictions) + comparable_faults("validation", validation)
