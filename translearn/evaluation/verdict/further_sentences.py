"""Closing lines beside the verdict: learning speed, classes, calibration, and the source task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from translearn.evaluation.predictions import TRANSFER
from translearn.evaluation.verdict.transfer import HELPED, HURT

_MAX_CLASSES = 5


def dynamics_sentences(dynamics: dict[str, Any] | None) -> list[str]:
    """Return one line on transfer's lead over scratch on validation, and its epochs to the final error of scratch."""
    if not dynamics or TRANSFER not in dynamics["gains"]:
        return []
    gains, role = dynamics["gains"][TRANSFER], dynamics["roles"][TRANSFER]
    first, last = (_points(gains[name]) for name in ("jumpstart", "asymptotic"))
    ahead = (
        f"Learning: on validation transfer is ahead of scratch by {first} after the first epoch, by {last} at the end"
    )
    epochs = role["epochs_to_threshold"]
    if epochs["num_censored"]:
        seeds = f"{epochs['num_censored']} of {len(epochs['of_seeds'])} seeds"
        return [f"{ahead}; with {seeds} it does not reach the final error of scratch."]
    num = f"{epochs['value']:.1f}".removesuffix(".0")
    return [f"{ahead}; it reaches the final error of scratch after {num} epoch{'' if num == '1' else 's'}."]


def class_sentences(class_gains: Sequence[dict[str, Any]]) -> list[str]:
    """Return one line on the classes that gained or were hurt; none where no difference is shown."""
    shown = {verdict: [row for row in class_gains if row["verdict"] == verdict] for verdict in (HELPED, HURT)}
    told = [f"transfer {verdict} {_classes(rows)}" for verdict, rows in shown.items() if rows]
    return [f"Classes: {'; '.join(told)}, corrected for {len(class_gains)} classes."] if told else []


def calibration_sentences(calibration: dict[str, Any] | None) -> list[str]:
    """Return one line on the gap of confidence and accuracy, before and after temperature scaling."""
    if not calibration:
        return []
    before, after = (100 * calibration[when]["ece"] for when in ("before", "after"))
    scaled = f"{after:.1f} points after temperature scaling ({calibration['temperature']:.3g})"
    return [f"Calibration: confidence and accuracy differ by {before:.1f} points on average (ECE), by {scaled}."]


def forgetting_sentences(forgetting: dict[str, Any] | None) -> list[str]:
    """Return one line on the source error before and after fine-tuning; none where it was not measured."""
    if not forgetting:
        return []
    before, after = (100 * forgetting[when]["value"] for when in ("before", "after"))
    rise = _points(forgetting["rise"])
    return [f"Forgetting: on its own task the source's error goes from {before:.1f} to {after:.1f} %, by {rise}."]


def _classes(rows: Sequence[dict[str, Any]]) -> str:
    """Return the classes with the largest differences, each with its own, and how many more there are."""
    largest = sorted(rows, key=lambda row: -abs(row["gain"]))
    names = ", ".join(f"{row['class']} ({100 * row['gain']:+.1f})" for row in largest[:_MAX_CLASSES])
    return names + (f" and {len(rows) - _MAX_CLASSES} more" if len(rows) > _MAX_CLASSES else "")


def _points(found: dict[str, Any]) -> str:
    interval = "" if found["low"] is None else f" ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
    return f"{100 * found['value']:+.1f} points{interval}"
