"""The closing lines of a study, in plain language."""

from __future__ import annotations

from typing import Any

from translearn.evaluation.predictions import CONVERGED, SCRATCH
from translearn.evaluation.verdict.further_sentences import (
    calibration_sentences,
    class_sentences,
    dynamics_sentences,
    forgetting_sentences,
)
from translearn.evaluation.verdict.transfer import HELPED, HURT

_BASELINES = {"scratch": "scratch", "probe": "the linear probe"}


def sentence(evaluation: dict[str, Any]) -> list[str]:
    """Return the findings of a study, a line each.

    Args:
        evaluation: The content of evaluation.json but for ``summary``.

    Returns:
        Lines without a trailing newline: target error, winner, selection's optimism; where there is something to say
        how the models learnt, what the labels are worth, which classes gained, calibration, forgetting, how the ranking
        did, leaks; gain over the probe, that test was read again and, last, gain over scratch. Errors in percent, gains
        in percentage points.
    """
    lines = [_target(evaluation), _winner(evaluation), _optimism(evaluation)]
    lines += dynamics_sentences(evaluation.get("dynamics")) + label_sentences(evaluation.get("labels"))
    lines += class_sentences(evaluation["class_gains"]) + calibration_sentences(evaluation.get("calibration"))
    lines += forgetting_sentences(evaluation.get("forgetting"))
    if ranking := evaluation.get("ranking"):
        lines.append(f"Ranking: {ranking['card']['sentence']}")
    lines += leak_sentences(evaluation.get("leaks"))
    lines += _over_probe(evaluation)
    if evaluation["test_reads"] > 1:
        lines.append(read_again_sentence(evaluation["test_reads"]))
    return [*lines, verdict_sentence(evaluation["transfer"])]


def verdict_sentence(gain: dict[str, Any]) -> str:
    """Return the verdict on one comparison in one line, with the interval on which it rests."""
    size, over = f"{100 * abs(gain['gain']):.1f}", _BASELINES[gain["baseline"]]
    than = "from scratch" if gain["baseline"] == SCRATCH else f"with {over}"
    text = {
        HELPED: f"Transfer helped: the target error is {size} points lower than {than}",
        HURT: f"Transfer hurt: the target error is {size} points higher than {than}",
    }.get(gain["verdict"], f"No difference shown: transfer gained {100 * gain['gain']:+.1f} points over {over}")
    low, high = 100 * gain["family_low"], 100 * gain["family_high"]
    level = f"{100 * gain['family_confidence']:g} % interval of the gain {low:+.1f} to {high:+.1f}"
    return f"{text} ({level}, {_extent(gain)})."


def label_sentences(labels: dict[str, Any] | None) -> list[str]:
    """Return at most one line on the worth of the source in labels."""
    if not labels:
        return []
    worth, full = labels["worth"], labels["num_labels"]
    mean = "at most" if worth["bound"] == "at most" else "about"
    num = f"{worth['labels']:.0f}"
    if worth["bound"] == "more than":
        return [f"Labels: with all {full} transfer does not reach the error of scratch on validation."]
    return [f"Labels: with {mean} {num} of them transfer reaches the validation error of scratch with all {full}."]


def leak_sentences(leaks: dict[str, Any] | None) -> list[str]:
    """Return a warning for each source trained on test images of the target, and a line on the other sources."""
    if not leaks:
        return []
    found = [row for row in leaks["sources"] if row["num_exact"] or row["num_near"]]
    warnings = [
        f"Warning: of the target's {row['num_test']} test images {row['source']} was trained on "
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
        f"Warning: test was read {num} times ({file} says when and why): what was decided after the first reading "
        "may rest on it."
    )


def _over_probe(evaluation: dict[str, Any]) -> list[str]:
    """Return a line on the gain over the linear probe, or why there is none."""
    if evaluation["over_probe"]:
        return [verdict_sentence(evaluation["over_probe"])]
    if evaluation["configurations"]["transfer"]["trial"].get("is_probe"):
        return ["The best transfer is a linear probe itself."]
    return ["No linear probe is compared with: the search had none that came to the end."]


def _target(evaluation: dict[str, Any]) -> str:
    target = evaluation["target"]
    interval = f"95 % interval {100 * target['low']:.1f} to {100 * target['high']:.1f}"
    extent = f"{evaluation['num_test']} test examples, {_seeds(len(target['models']))}"
    return f"Target error: {100 * target['error']:.1f} % ({interval}; {extent})."


def _winner(evaluation: dict[str, Any]) -> str:
    winner = evaluation["winner"]
    setting = f"{winner['source']}, freeze depth {winner['freeze_depth']}, learning rate {winner['lr']:.2g}"
    if winner["role"] not in (SCRATCH, CONVERGED):
        return f"Winner: {setting}."
    beaten = evaluation["configurations"]["transfer"]["trial"]["source"]
    return f"Winner: {setting}: its validation error is lower than that of the best transfer, from {beaten}."


def _optimism(evaluation: dict[str, Any]) -> str:
    made = evaluation["target"]["optimism"]
    told = [(name, made[key]) for name, key in (("in the search", "search"), ("of the refits", "refits")) if made[key]]
    figures = [f"{name} {100 * f['value']:+.1f} ({100 * f['low']:+.1f} to {100 * f['high']:+.1f})" for name, f in told]
    return f"Validation minus test error of the winner, in points: {', '.join(figures)}."


def _extent(gain: dict[str, Any]) -> str:
    return f"{gain['num_examples']} test examples, {_seeds(gain['num_seeds'])}"


def _seeds(num: int) -> str:
    return "1 seed" if num == 1 else f"{num} seeds"
