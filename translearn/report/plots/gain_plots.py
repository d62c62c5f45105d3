"""Plots of transfer gain: by class, and in labels."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from translearn.report.plots.figure import INK, MUTED, draw, legend, percent, short

_COLOURS = {"helped": "#00805c", "hurt": "#c2410c"}
_MAX_ROWS = 40


def class_gain_plot(rows: list[dict[str, Any]]) -> Markup | None:
    """Draw the transfer gain of each class with both intervals, the largest on top; None without any and above 40.

    Args:
        rows: ``class_gains`` of the evaluation.
    """
    if not 0 < len(rows) <= _MAX_ROWS:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for y, row in enumerate(rows):
            _gain_row(axes, y, row)
        axes.set_yticks(range(len(rows)), [short(row["class"]) for row in rows])
        axes.axvline(0, color=INK, linewidth=0.8)
        # Corrected intervals may be cut.
        reach = 1.4 * max(0.05, *(abs(row[end]) for row in rows for end in ("low", "high")))
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(-reach, reach))
        axes.set_xlabel("transfer gain over scratch (test), points")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda gain, _: f"{100 * gain:+.0f}" if gain else "0"))

    return draw("class-gains", (6.4, 0.9 + 0.26 * len(rows)), paint)


def label_plot(curves: dict[str, list[dict[str, Any]]], colours: dict[str, str]) -> Markup:
    """Draw validation error by number of training labels; bars are intervals over seeds.

    Args:
        curves: By role, ``labels.curves`` of the evaluation.
        colours: Role to colour.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for role, rows in curves.items():
            _label_line(axes, rows, colours[role])
        nums = [row["num_labels"] for row in next(iter(curves.values()))]
        axes.set_xscale("log")
        axes.set_xticks(nums, [f"{num:,}" for num in nums])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axhline(curves["scratch"][-1]["error"], color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel="training labels", ylabel="validation error")
        axes.set_ylim(bottom=0)
        percent(axes.yaxis)
        legend(figure, [Line2D([], [], color=colours[role], label=role, linewidth=2) for role in curves], 2)

    return draw("labels", (6.4, 3.8), paint)


def _gain_row(axes: Axes, y: int, row: dict[str, Any]) -> None:
    colour = _COLOURS.get(row["verdict"], MUTED)
    axes.plot((row["family_low"], row["family_high"]), (y, y), color=colour, linewidth=1.2)
    axes.plot((row["low"], row["high"]), (y, y), color=colour, linewidth=5, alpha=0.4, solid_capstyle="butt")
    axes.plot(row["gain"], y, "o", color=colour, markersize=4.5)


def _label_line(axes: Axes, rows: list[dict[str, Any]], colour: str) -> None:
    nums = [row["num_labels"] for row in rows]
    axes.plot(nums, [row["error"] for row in rows], "o-", color=colour, markersize=4)
    for row in rows:
        if row["low"] is not None:
            ends = (max(0.0, row["low"]), min(1.0, row["high"]))
            axes.plot((row["num_labels"],) * 2, ends, color=colour, linewidth=5, alpha=0.25, solid_capstyle="butt")
