"""The content of evaluation.json: every figure of the report, with its interval. docs/evaluation.md lists the keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from translearn.errors import fault, raise_faults
from translearn.evaluation.calibration import calibration
from translearn.evaluation.classification import classification
from translearn.evaluation.configuration import best_model, configuration, winner
from translearn.evaluation.intervals.comparisons import compare
from translearn.evaluation.intervals.interval import CONFIDENCE
from translearn.evaluation.predictions import (
    CONVERGED,
    PROBE,
    SCRATCH,
    TRANSFER,
    Predictions,
    comparable_faults,
    of_role,
)
from translearn.evaluation.verdict.class_gain import class_gains
from translearn.evaluation.verdict.linear_probe import linear_probe
from translearn.evaluation.verdict.most_frequent import is_unequal, learned, most_frequent
from translearn.evaluation.verdict.next_steps import next_steps
from translearn.evaluation.verdict.outcome import outcome
from translearn.evaluation.verdict.sentences import sentence

_ROLES = (TRANSFER, SCRATCH, PROBE, CONVERGED)


def evaluate(
    predictions: Sequence[Predictions],
    validation: Sequence[Predictions],
    classes: Sequence[str],
    *,
    trials: dict[str, dict[str, Any]],
    num_per_class: Sequence[int],
    test_reads: int = 1,
    convergence: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Compute all that a study claims about its models, as JSON without NaN or infinity.

    Args:
        predictions: On test, of the best transferred configuration, of scratch and, where there is one, of the linear
            probe and of scratch with more steps, with the same seeds. Of one of the first two alone where the other is
            not left: nothing is compared.
        validation: The same models' predictions on validation. They choose the winner and the deployed model.
        classes: The C class names, in order of the labels.
        trials: By role, the trial that was refitted; ``source``, ``freeze_depth`` and ``lr`` are needed.
        num_per_class: Training examples of the models, of each of the C classes.
        test_reads: The number of times that the study has read test, including this one.
        convergence: How scratch came to convergence: what ``gain_at_convergence`` has beside the gain. Without
            predictions of scratch with more steps it was there already. None where it was not looked for.
        more: Sections that need more than predictions, as they are to stand in the result.

    Returns:
        The keys of docs/evaluation.md.

    Raises:
        InputError: Predictions are missing or do not fit each other; every fault at once.
    """
    raise_faults(_faults(predictions, validation, classes))
    test, val = ({role: of_role(group, role) for role in _ROLES} for group in (predictions, validation))
    made = {role: configuration(trials[role], test[role], val[role]) for role in _ROLES if test[role]}
    best = winner(made)
    deployed = {"role": best, **best_model(made[best]["models"])}
    model, on_val = (next(p for p in of[best] if p.seed == deployed["seed"]) for of in (test, val))
    baselines: dict[str, Sequence[Predictions]] = {role: test[role] for role in (SCRATCH, PROBE) if test[role]}
    converged = (test[CONVERGED] or test[SCRATCH]) if convergence else []
    verdicts = compare(test[TRANSFER], baselines, converged) if test[TRANSFER] else {}
    evaluation: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "classes": list(classes),
        "num_train": int(sum(num_per_class)),
        "num_test": len(model.labels),
        "num_validation": len(on_val.labels),
        "test_reads": test_reads,
        "winner": {"role": best, **trials[best]},
        "target": made[best],
        "configurations": made,
        "most_frequent": most_frequent(num_per_class, model, classes),
        "is_unequal": is_unequal(model.labels),
        "scratch": learned(num_per_class, converged or test[SCRATCH]) if test[SCRATCH] else None,
        "transfer": verdicts.get(SCRATCH),
        "gain_at_convergence": {**verdicts[CONVERGED], **(convergence or {})} if CONVERGED in verdicts else None,
        "over_probe": verdicts.get(PROBE),
        "linear_probe": linear_probe(made, verdicts.get(PROBE)),
        "deployed": deployed,
        "classification": classification(model, list(classes)),
        "class_gains": class_gains(test[TRANSFER], test[SCRATCH], classes) if SCRATCH in verdicts else [],
        "calibration": calibration(model, on_val),
        **(more or {}),
    }
    evaluation["verdict"] = outcome(evaluation)
    evaluation["next_steps"] = next_steps(evaluation)
    whole: dict[str, Any] = finite({"summary": sentence(evaluation), **evaluation})
    return whole


def finite(value: Any) -> Any:
    """Return the same nest of dicts and lists with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _faults(predictions: Sequence[Predictions], validation: Sequence[Predictions], classes: Sequence[str]) -> list[str]:
    faults = []
    test_runs, validation_runs = ([(p.role, p.seed) for p in group] for group in (predictions, validation))
    if not {TRANSFER, SCRATCH} & {role for role, _ in test_runs}:
        faults.append(fault("evaluation", "needs predictions of transfer or of scratch", "none", "Refit both."))
    if sorted(test_runs) != sorted(validation_runs):
        value = f"{sorted(test_runs)} on test and {sorted(validation_runs)} on validation"
        faults.append(fault("evaluation", "every model must predict both splits", value, "Predict both."))
    widths = {p.probabilities.shape[1] for p in (*predictions, *validation)}
    if widths - {len(classes)}:
        rule = f"probabilities must have {len(classes)} columns, one a class"
        faults.append(fault("evaluation", rule, sorted(widths), "Give the classes of the head."))
    return faults + comparable_faults("test", predictions) + comparable_faults("validation", validation)
