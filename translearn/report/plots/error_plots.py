"""Plots of errors on test: the two configurations with their intervals, confusion, reliability."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from translearn.report.plots.figure import GRID, INK, MUTED, draw, percent, short

_MAX_NAMED, _MAX_COUNTED = 60, 20  # classes, beyond which names and counts cannot be read
_BLUE = "#0072B2"


def interval_plot(rows: dict[str, dict[str, Any]], colours: dict[str, str]) -> Markup:
    """Draw target error with interval, a row a configuration; a dot is one seed's model.

    Args:
        rows: Label to ``target`` or ``scratch`` of the evaluation, the first on top.
        colours: Label to colour.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for y, (label, role) in enumerate(rows.items()):
            _interval_row(axes, y, role, colours[label])
        axes.set_yticks(range(len(rows)), rows)
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="target error (test)")
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        percent(axes.xaxis)

    return draw("intervals", (6.4, 0.8 + 0.45 * len(rows)), paint)


def confusion_plot(confusion: list[list[int]], classes: list[str]) -> Markup | None:
    """Draw the confusion matrix, shaded by fraction of the class (row); None above 60 classes."""
    if len(classes) > _MAX_NAMED:
        return None
    counts = np.array(confusion, dtype=np.float64)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [short(name) for name in classes]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.pcolormesh(fractions, cmap="Blues", vmin=0, vmax=1, edgecolors=GRID, linewidth=0.4)
        centres = np.arange(len(classes)) + 0.5
        axes.set_xticks(centres, names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(centres, names)
        axes.set(xlabel="predicted", ylabel="class", aspect="equal", ylim=(len(classes), 0))
        axes.grid(visible=False)
        if len(classes) <= _MAX_COUNTED:
            _write_counts(axes, counts, fractions)

    return draw("confusion", (5.0, 4.8), paint)


def reliability_plot(name: str, bins: list[dict[str, Any]]) -> Markup:
    """Draw accuracy by confidence: bars on the dashed diagonal are calibrated; below it, overconfident.

    Args:
        name: Unique in the page.
        bins: As ``calibration.reliability`` gives them.
    """
    filled = [b for b in bins if b["num"]]
    width, total = bins[0]["high"] - bins[0]["low"], sum(b["num"] for b in bins)

    def paint(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        lows = [b["low"] for b in filled]
        upper.bar(lows, [b["accuracy"] for b in filled], width, align="edge", color=_BLUE, edgecolor="white")
        upper.plot((0, 1), (0, 1), "--", color=INK, linewidth=1)
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
        lower.bar(lows, [b["num"] / total for b in filled], width, align="edge", color=MUTED, edgecolor="white")
        lower.set(xlabel="confidence", ylabel="examples")
        percent(lower.yaxis)

    return draw(name, (5.0, 4.2), paint)


def _interval_row(axes: Axes, y: int, role: dict[str, Any], colour: str) -> None:
    axes.plot((role["low"], role["high"]), (y, y), color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
    axes.plot([m["error"] for m in role["models"]], [y] * len(role["models"]), "o", color=colour, markersize=4)
    axes.plot(role["error"], y, "|", color=INK, markersize=14, markeredgewidth=2)


def _write_counts(axes: Axes, counts: np.ndarray, fractions: np.ndarray) -> None:
    for (i, j), count in np.ndenumerate(counts):
        if count:
            colour = "white" if fractions[i, j] > 0.55 else INK
            axes.text(j + 0.5, i + 0.5, f"{int(count)}", ha="center", va="center", color=colour, fontsize=7.5)
