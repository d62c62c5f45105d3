"""The next things to do, each from the study's own figures, the most useful first."""

from __future__ import annotations

from typing import Any

from translearn.evaluation.verdict.confused import confused_sentences
from translearn.evaluation.verdict.outcome import NOT_COMPARED, NOT_LEARNED
from translearn.evaluation.verdict.transfer import HELPED

LEAST_PICTURES, LEAST_SEEDS = 5, 3
_MAX_NAMED = 4


def next_steps(evaluation: dict[str, Any]) -> list[str]:
    """Return what to do next, a sentence each; none where the figures suggest nothing.

    Args:
        evaluation: The content of evaluation.json but for ``summary``.
    """
    return [
        *_steps(evaluation),
        *_seeds(evaluation),
        *confused_sentences(evaluation["classification"]["confusion"], evaluation["classes"]),
        *_pictures(evaluation),
        *_labels(evaluation),
        *_cheaper(evaluation),
        *_source(evaluation),
    ]


def few_pictures(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the classes with fewer than 5 different pictures in validation or test, a row a class and split."""
    pictures = evaluation.get("pictures")
    return [
        {"class": row["class"], "split": split, "num": row[split]["num_different"]}
        for row in (pictures["classes"] if pictures else [])
        for split in ("val", "test")
        if row[split]["num_different"] < LEAST_PICTURES
    ]


def few_sentence(rows: list[dict[str, Any]]) -> str:
    """Return the names of such classes, with their numbers."""
    splits = {"val": "validation", "test": "test"}
    named = ", ".join(f"{row['class']} ({row['num']} in {splits[row['split']]})" for row in rows[:_MAX_NAMED])
    return named + (f" and {len(rows) - _MAX_NAMED} more" if len(rows) > _MAX_NAMED else "")


def _steps(evaluation: dict[str, Any]) -> list[str]:
    budget, longer = evaluation.get("budget"), evaluation["gain_at_convergence"]
    if budget and budget["refit_steps"] < budget["enough_steps"]:
        enough = f"{budget['enough_steps']:,} instead of {budget['refit_steps']:,}"
        return [f"Train with more steps: set search.epochs and refit.epochs to auto ({enough} steps)."]
    if longer and longer.get("is_at_cap") and longer["times_the_steps"] > 1:
        return [f"Give scratch more steps: it still gained at refit.baseline_cap ({longer['cap']} times the steps)."]
    return []


def _seeds(evaluation: dict[str, Any]) -> list[str]:
    num = min(len(one["models"]) for one in evaluation["configurations"].values())
    if num >= LEAST_SEEDS:
        return []
    shown = "one seed does not show" if num == 1 else "two seeds hardly show"
    return [f"Set refit.seeds to {LEAST_SEEDS}: {shown} how much the error differs from one training to the next."]


def _pictures(evaluation: dict[str, Any]) -> list[str]:
    rows = few_pictures(evaluation)
    if not rows:
        return []
    return [f"Add different images, or merge classes: {few_sentence(rows)} are too few to measure an error."]


def _labels(evaluation: dict[str, Any]) -> list[str]:
    """Name the class with the most mistakes of the deployed model, where it has more than its share."""
    rows = [row for row in evaluation["classification"]["per_class"] if row["num"]]
    wrong = {row["class"]: round(row["error"] * row["num"]) for row in rows}
    total, worst = sum(wrong.values()), max(rows, key=lambda row: wrong[row["class"]])
    if len(rows) < 2 or wrong[worst["class"]] * len(rows) < 1.5 * total or not total:
        return []
    share = f"{wrong[worst['class']]} of the {total} mistakes are on its {worst['num']} test images"
    return [f"Label more images of {worst['class']}: {share}."]


def _cheaper(evaluation: dict[str, Any]) -> list[str]:
    probe = evaluation["linear_probe"]
    if not probe or probe["is_fine_tuning_better"] or probe["is_best_transfer"]:
        return []
    error = f"{100 * probe['error']:.1f} % ({100 * probe['low']:.1f} to {100 * probe['high']:.1f})"
    return [f"Consider the cheaper model: fine-tuning is not shown to be better than the linear probe, at {error}."]


def _source(evaluation: dict[str, Any]) -> list[str]:
    if evaluation["verdict"]["verdict"] in (HELPED, NOT_LEARNED, NOT_COMPARED):
        return []
    return ["Try another source: none of these is shown to lower the error more than training from scratch does."]
