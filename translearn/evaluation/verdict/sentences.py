"""The closing lines of a study, in plain language."""

from __future__ import annotations

from typing import Any

from translearn.evaluation.predictions import CONVERGED, SCRATCH, TRANSFER
from translearn.evaluation.verdict.further_sentences import (
    calibration_sentences,
    class_sentences,
    dynamics_sentences,
    forgetting_sentences,
)
from translearn.evaluation.verdict.next_steps import few_pictures, few_sentence
from translearn.evaluation.verdict.outcome import interval

MAX_LINES, _MAX_WARNINGS, _WARNING = 8, 3, "Warning: "
#: Below it nothing is claimed of how well the sources were ranked.
LEAST_SOURCES = 4


def sentence(evaluation: dict[str, Any]) -> list[str]:
    """Return the findings of a study, at most eight lines.

    Args:
        evaluation: The content of evaluation.json but for ``summary``.

    Returns:
        Lines without a trailing newline: target error and winner; as many as there is room for, of labels, learning,
        classes, ranking, leaks, forgetting, calibration and optimism; warnings, the linear probe, what to do next and,
        last, the verdict. Errors in percent, gains in percentage points.
    """
    first, warnings = [_target(evaluation), _winner(evaluation)], _warnings(evaluation)
    last = [*warnings, *_over_probe(evaluation), *(f"Next: {line}" for line in evaluation["next_steps"][:1])]
    last.append(evaluation["verdict"]["sentence"])
    return [*first, *_further(evaluation)[: MAX_LINES - len(first) - len(last)], *last]


def _further(evaluation: dict[str, Any]) -> list[str]:
    """Return the lines that may be left out, the most useful first."""
    ranking, leaks, scratch = evaluation.get("ranking"), evaluation.get("leaks"), evaluation["scratch"]
    learned = bool(scratch and scratch["learned"])
    ranked = [f"Ranking: {ranking['card']['sentence']}"] if ranking and len(ranking["errors"]) >= LEAST_SOURCES else []
    # Scores of different backbones tell their size as much as how well they fit: there it matters most.
    is_mixed = ranking is not None and len({row["num_parameters"] for row in ranking["sources"]}) > 1
    return [
        *(ranked if is_mixed else []),
        *(label_sentences(evaluation.get("labels")) if learned else []),
        *(dynamics_sentences(evaluation.get("dynamics")) if learned else []),
        *(class_sentences(evaluation["class_gains"]) if learned else []),
        *([] if is_mixed else ranked),
        *[line for line in leak_sentences(leaks) if not line.startswith(_WARNING)],
        *forgetting_sentences(evaluation.get("forgetting")),
        *calibration_sentences(evaluation.get("calibration")),
        *_optimism(evaluation),
    ]


def _warnings(evaluation: dict[str, Any]) -> list[str]:
    sections = [evaluation.get(name) or {} for name in ("target_check", "budget")]
    found = [f"{_WARNING}{line}" for section in sections for line in section.get("warnings", [])]
    if evaluation["test_reads"] > 1:
        found.insert(0, read_again_sentence(evaluation["test_reads"]))
    found += [line for line in leak_sentences(evaluation.get("leaks")) if line.startswith(_WARNING)]
    if few := few_pictures(evaluation):
        found.append(f"{_WARNING}few different pictures of {few_sentence(few)}: add images, or merge classes.")
    if len(found) <= _MAX_WARNINGS:
        return found
    more = len(found) - _MAX_WARNINGS + 1
    return [*found[: _MAX_WARNINGS - 1], f"{_WARNING}{more} more warnings are in the report."]


def label_sentences(labels: dict[str, Any] | None) -> list[str]:
    """Return at most one line on the worth of the source in labels."""
    if not labels:
        return []
    worth, full = labels["worth"], labels["num_labels"]
    mean = "at most" if worth["bound"] == "at most" else "about"
    num = f"{worth['labels']:.0f}"
    if worth["bound"] == "more than":
        return [f"Labels: with all {full} labels transfer does not reach the validation error of scratch."]
    return [f"Labels: with {mean} {num} labels transfer reaches the validation error of scratch with all {full}."]


def leak_sentences(leaks: dict[str, Any] | None) -> list[str]:
    """Return a warning for each source trained on test images of the target, and a line on the other sources."""
    if not leaks:
        return []
    found = [row for row in leaks["sources"] if row["num_exact"] or row["num_near"]]
    warnings = [
        f"{_WARNING}of the target's {row['num_test']} test images {row['source']} was trained on "
        f"{row['num_exact']} exact and {row['num_near']} near duplicate{'' if row['num_near'] == 1 else 's'}: its "
        "figures may be too good."
        for row in found
    ]
    clean, unchecked = [row["source"] for row in leaks["sources"] if row not in found], leaks["unchecked"]
    told = [f"none found for {', '.join(clean)}"] if clean else []
    if unchecked:
        whose = "its" if len(unchecked) == 1 else "their"
        told.append(f"not checked: {', '.join(unchecked)} ({whose} data is not at hand)")
    return [*warnings, f"Leaks: {'; '.join(told)}."] if told else warnings


def read_again_sentence(num: int, file: str = "test_reads.json") -> str:
    """Return a warning that test was read more than once."""
    return (
        f"{_WARNING}test was read {num} times ({file} says when and why): what was decided after the first reading "
        "may rest on it."
    )


def _over_probe(evaluation: dict[str, Any]) -> list[str]:
    """Return a line on fine-tuning against the linear probe, or why there is none."""
    gain = evaluation["over_probe"]
    if gain:
        is_better = evaluation["linear_probe"]["is_fine_tuning_better"]
        shown = "is better than" if is_better else "is not shown to be better than"
        figures = f"gain {100 * gain['gain']:+.1f} points, 95 % interval {interval(gain)}"
        return [f"Linear probe: fine-tuning {shown} the linear probe of its source ({figures})."]
    transfer = evaluation["configurations"].get(TRANSFER)
    if not transfer:
        return []
    if transfer["trial"].get("is_probe"):
        return ["Linear probe: the best transfer is one itself."]
    return ["Linear probe: there is none to compare with, as none of its refits came to the end."]


def _target(evaluation: dict[str, Any]) -> str:
    target, frequent = evaluation["target"], evaluation["most_frequent"]
    ends = f"95 % interval {100 * target['low']:.1f} to {100 * target['high']:.1f}"
    extent = f"{evaluation['num_test']} test images, {_seeds(len(target['models']))}"
    balanced = f", balanced over the classes {100 * target['balanced_error']:.1f} %" if evaluation["is_unequal"] else ""
    least = f"always answering {frequent['class']}: {100 * frequent['error']:.1f} %"
    return f"Target error: {100 * target['error']:.1f} % ({ends}; {extent}){balanced}; {least}."


def _winner(evaluation: dict[str, Any]) -> str:
    winner = evaluation["winner"]
    setting = f"{winner['source']}, freeze depth {winner['freeze_depth']}, learning rate {winner['lr']:.2g}"
    if winner["role"] not in (SCRATCH, CONVERGED):
        return f"Winner: {setting}."
    transfer = evaluation["configurations"].get(TRANSFER)
    if not transfer:
        return f"Winner: {setting}."
    beaten = transfer["trial"]["source"]
    return f"Winner: {setting}: its validation error is lower than that of the best transfer, from {beaten}."


def _optimism(evaluation: dict[str, Any]) -> list[str]:
    """Return a line on how much too good or bad validation was, where that is shown."""
    found = evaluation["target"]["optimism"]["refits"]
    if found["low"] <= 0 <= found["high"]:
        return []
    ends = f"{100 * found['low']:+.1f} to {100 * found['high']:+.1f}"
    return [f"Validation: the winner's error there minus that on test is {100 * found['value']:+.1f} points ({ends})."]


def _seeds(num: int) -> str:
    return "1 seed" if num == 1 else f"{num} seeds"
