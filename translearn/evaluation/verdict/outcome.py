"""The verdict of a study: what transfer brought at equal budget, and what is left of it when scratch has more steps."""

from __future__ import annotations

from typing import Any

from translearn.evaluation.predictions import SCRATCH, TRANSFER
from translearn.evaluation.verdict.transfer import HELPED, HURT

NOT_LEARNED, SAVES, NOT_COMPARED = "scratch did not learn", "saves training, not error", "not compared"
_WORDS = {HELPED: "Transfer helped", SAVES: "Transfer saves training, not error", HURT: "Transfer hurt"}


def outcome(evaluation: dict[str, Any]) -> dict[str, str]:
    """Return the ``verdict`` and the ``sentence`` that says it, both gains in it.

    Args:
        evaluation: The content of evaluation.json up to here.

    Returns:
        ``verdict``: ``"not compared"``, where transfer or scratch is not left; ``"scratch did not learn"``;
        ``"helped"``, at equal budget and at convergence, or at equal budget where the other was not measured; ``"saves
        training, not error"``, where it helped at equal budget alone; ``"hurt"`` or ``"no difference shown"``, at equal
        budget.
    """
    longer = evaluation["gain_at_convergence"]
    if not evaluation["transfer"]:
        return {"verdict": NOT_COMPARED, "sentence": _not_compared(evaluation)}
    verdict = evaluation["transfer"]["verdict"]
    if not evaluation["scratch"]["learned"]:
        return {"verdict": NOT_LEARNED, "sentence": _not_learned(evaluation, longer)}
    if verdict == HELPED and longer and longer["verdict"] != HELPED:
        verdict = SAVES
    return {"verdict": verdict, "sentence": f"{_equal_budget(evaluation, verdict)}{_convergence(longer, verdict)}."}


def interval(found: dict[str, Any]) -> str:
    """Format the ends of a gain's own 95 % interval in points."""
    return f"{100 * found['low']:+.1f} to {100 * found['high']:+.1f}"


def _not_compared(evaluation: dict[str, Any]) -> str:
    missing = TRANSFER if TRANSFER not in evaluation["configurations"] else SCRATCH
    reasons = [lines[0] for name, lines in (evaluation.get("left_out") or {}).items() if name.startswith(missing)]
    return (
        f"Not compared: no trial of {missing} came to its end with every seed. "
        f"{f'The first: {reasons[0]} ' if reasons else ''}A study with a lower range of search.lr, with "
        "train.clip_norm, or with more search.trials and refit.candidates may have one."
    )


def _not_learned(evaluation: dict[str, Any], longer: dict[str, Any] | None) -> str:
    budget, frequent = evaluation.get("budget"), evaluation["most_frequent"]
    steps = longer["steps"] if longer and "steps" in longer else budget and budget["refit_steps"]
    within = f" within {steps:,} steps" if steps else ""
    error = frequent["error"] - evaluation["scratch"]["gain"]
    return (
        f"Scratch did not learn{within}: its error of {100 * error:.1f} % is not shown to be below the "
        f"{100 * frequent['error']:.1f} % of always answering {frequent['class']}. So nothing can be said of transfer. "
        f"{_what_to_set(budget, longer)}"
    )


def _what_to_set(budget: dict[str, Any] | None, longer: dict[str, Any] | None) -> str:
    if budget and budget["refit_steps"] < budget["enough_steps"]:
        return f"Set search.epochs and refit.epochs to auto: {budget['enough_steps']:,} steps."
    if longer and longer.get("is_at_cap"):
        return f"Raise refit.baseline_cap above {longer['cap']}."
    return "Raise refit.epochs, or search.trials for more learning rates of scratch."


def _equal_budget(evaluation: dict[str, Any], verdict: str) -> str:
    gain, error = evaluation["transfer"], f"{100 * evaluation['configurations']['transfer']['error']:.1f} %"
    if verdict in _WORDS:
        than = f"{_difference(gain, '95 % interval ')} than that of scratch with as many steps"
        return f"{_WORDS[verdict]}: its error of {error} is {than}"
    corrected = "" if gain["low"] <= 0 <= gain["high"] else ", which holds 0 once corrected for two comparisons"
    ends = f"gain {100 * gain['gain']:+.1f} points, 95 % interval {interval(gain)}{corrected}"
    return f"No difference shown between transfer, with an error of {error}, and scratch with as many steps ({ends})"


def _convergence(longer: dict[str, Any] | None, verdict: str) -> str:
    if longer is None:
        return "; longer training of scratch was not tried, as refit.baseline_cap is 1"
    times = longer["times_the_steps"]
    if times == 1:
        return "; longer training does not help scratch"
    when = f"when scratch trains {times} times as long"
    if verdict == HELPED:
        return f", and still {_difference(longer)} {when}"
    if longer["low"] <= 0 <= longer["high"]:
        no_more = f"not shown to differ {when} (gain {100 * longer['gain']:+.1f} points, {interval(longer)})"
        return f", but {no_more}" if verdict == SAVES else f", and {no_more}"
    return f", but {_difference(longer)} {when}" if verdict == SAVES else f"; it is {_difference(longer)} {when}"


def _difference(gain: dict[str, Any], level: str = "") -> str:
    """Return by how much the error with transfer is lower or higher, with the interval of that."""
    size, ends = abs(gain["gain"]), sorted((gain["low"], gain["high"]), reverse=gain["gain"] < 0)
    low, high = (100 * end * (1 if gain["gain"] >= 0 else -1) for end in ends)
    return f"{100 * size:.1f} points {'lower' if gain['gain'] >= 0 else 'higher'} ({level}{low:.1f} to {high:.1f})"
