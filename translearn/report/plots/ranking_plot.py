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
    """Draw a panel a score: value by stage, a line a source; bar: 95 % interval; ring: recommended freeze depth.

    Args:
        ranking: The section ``ranking`` of the evaluation.
        colours: Source name to colour.
    """
    names = ranking["order"]
    depths = {row["source"]: row["freeze_depth"] for row in ranking["sources"]}
    shown = [score for score in _TITLES if any(row["score"] == score for row in ranking["stages"])]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 2, sharex=True)
        for axes in panels.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, score in zip(panels.flat, shown, strict=False):
            for name in names:
                _line(axes, _rows(ranking, name, score), colours.get(name, MUTED), depths[name])
            axes.set_title(_TITLES[score], fontsize=9)
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
    for row in rows:
        if row["low"] is not None:
            axes.plot((row["depth"],) * 2, (row["low"], row["high"]), color=colour, linewidth=4, alpha=0.25)
        if row["depth"] == recommended:
            axes.plot(row["depth"], row["value"], "o", markersize=10, markerfacecolor="none", markeredgecolor=INK)
