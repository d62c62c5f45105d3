"""Scores of every source at each of its stages, with the recommended freeze depths."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from translearn.report.plots.figure import INK, MUTED, draw, legend

_TITLES = {
    "knn": "kNN, leave-one-out accuracy",
    "linear_probe": "linear probe, leave-one-out accuracy",
    "logme": "LogME, nats an example",
    "hscore": "H-score, shrunk",
}


def ranking_plot(ranking: dict[str, Any], colours: dict[str, str]) -> Markup:
    """Draw a panel a score: value by stage, a line a source; band: 95 % interval; ring: recommended freeze depth.

    Args:
        ranking: The section ``ranking`` of the evaluation.
        colours: Source name to colour.
    """
    names = ranking["order"]
    depths = {row["source"]: row["freeze_depth"] for row in ranking["sources"]}

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 2, sharex=True)
        for axes, (score, title) in zip(panels.flat, _TITLES.items(), strict=True):
            for name in names:
                _line(axes, _rows(ranking, name, score), colours.get(name, MUTED), depths[name])
            axes.set_title(title, fontsize=9)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in panels[1]:
            axes.set_xlabel("stages")
        keys = [Line2D([], [], color=colours.get(name, MUTED), marker="o", markersize=4, label=name) for name in names]
        ring: dict[str, Any] = {"marker": "o", "markersize": 10, "color": INK, "markerfacecolor": "none"}
        legend(figure, [*keys, Line2D([], [], linestyle="none", label="recommended to freeze", **ring)])

    return draw("ranking", (7.2, 4.8), paint)


def _rows(ranking: dict[str, Any], source: str, score: str) -> list[dict[str, Any]]:
    found = [row for row in ranking["stages"] if row["source"] == source and row["score"] == score]
    return sorted(found, key=lambda row: int(row["depth"]))


def _line(axes: Axes, rows: list[dict[str, Any]], colour: str, recommended: int) -> None:
    depths, values = [row["depth"] for row in rows], [row["value"] for row in rows]
    axes.plot(depths, values, color=colour, marker="o", markersize=4)
    if all(row["low"] is not None for row in rows):
        lows, highs = [row["low"] for row in rows], [row["high"] for row in rows]
        axes.fill_between(depths, lows, highs, color=colour, alpha=0.12, linewidth=0)
    for row in rows:
        if row["depth"] == recommended:
            axes.plot(row["depth"], row["value"], "o", markersize=10, markerfacecolor="none", markeredgecolor=INK)
