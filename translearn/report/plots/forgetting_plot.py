"""Plot of forgetting against target error by freeze depth."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from translearn.report.plots.figure import INK, MUTED, draw, percent


def forgetting_plot(found: dict[str, Any], colour: str) -> Markup:
    """Draw source against target error of each freeze depth, with intervals; the Pareto front in colour.

    Args:
        found: ``forgetting_by_depth`` of the evaluation.
        colour: Of the source.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        front = sorted((row for row in found["depths"] if row["is_on_front"]), key=lambda row: row["target"]["value"])
        steps = [row["target"]["value"] for row in front], [row["source"]["value"] for row in front]
        axes.plot(*steps, drawstyle="steps-post", color=colour, linewidth=1, alpha=0.6)
        for row in found["depths"]:
            _point(axes, row, colour if row["is_on_front"] else MUTED)
        axes.axhline(found["before"]["value"], color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel="target error (validation)", ylabel="source error (test), old head", ylim=(-0.02, None))
        percent(axes.xaxis)
        percent(axes.yaxis)

    return draw("forgetting", (6.4, 3.8), paint)


def _point(axes: Axes, row: dict[str, Any], colour: str) -> None:
    target, source = row["target"], row["source"]
    x, y = target["value"], source["value"]
    axes.plot((target["low"], target["high"]), (y, y), color=colour, linewidth=4, alpha=0.2, solid_capstyle="butt")
    axes.plot((x, x), (source["low"], source["high"]), color=colour, linewidth=4, alpha=0.2, solid_capstyle="butt")
    axes.plot(x, y, "o", color=colour, markersize=4.5)
    axes.annotate(str(row["freeze_depth"]), (x, y), (5, 5), textcoords="offset points", color=colour)
