"""The heat map of a matrix: sources down, targets across, gain in points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from translearn.report.plots.figure import GRID, INK, MUTED, draw, short
from translearn.report.words import points

_LEAST = 0.05  # the smallest range of colours: noise of a point or two stays pale


def matrix_plot(rows: Sequence[dict[str, Any]]) -> Markup:
    """Draw gains by source and target: purple where positive, orange where negative; significant ones bold and framed.

    Args:
        rows: As ``gain_matrix.gain_rows`` gives them. Hatched: a source trained on the target's own data.
    """
    targets, sources = (list(dict.fromkeys(row[key] for row in rows)) for key in ("target", "source"))
    gains = np.full((len(sources), len(targets)), np.nan)
    for row in rows:
        gains[sources.index(row["source"]), targets.index(row["target"])] = row["gain"]
    reach = max(_LEAST, float(np.nanmax(np.abs(gains))))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        mesh = axes.pcolormesh(gains, cmap="PuOr_r", vmin=-reach, vmax=reach, edgecolors=GRID, linewidth=0.4)
        axes.set_xticks(np.arange(len(targets)) + 0.5, map(short, targets), rotation=30, ha="right")
        axes.set_yticks(np.arange(len(sources)) + 0.5, map(short, sources))
        axes.set(xlabel="target", ylabel="source", ylim=(len(sources), 0))
        axes.grid(visible=False)
        for row in rows:
            _write(axes, sources.index(row["source"]), targets.index(row["target"]), row, reach)
        bar = figure.colorbar(mesh, ax=axes, shrink=0.9, format=lambda value, _: points(value))
        bar.set_label("transfer gain, points")
        bar.outline.set_visible(False)

    return draw("matrix", (2.6 + 1.15 * len(targets), 1.5 + 0.62 * len(sources)), paint)


def _write(axes: Axes, down: int, across: int, row: dict[str, Any], reach: float) -> None:
    is_shown = row["verdict"] in ("helped", "hurt")
    colour = "white" if abs(row["gain"]) > 0.6 * reach else INK
    weight = "bold" if is_shown else "normal"
    axes.text(across + 0.5, down + 0.4, points(row["gain"]), ha="center", va="center", color=colour, weight=weight)
    interval = f"{points(row['family_low'])} to {points(row['family_high'])}"
    axes.text(across + 0.5, down + 0.74, interval, ha="center", va="center", color=colour, fontsize=6.5)
    if is_shown:
        axes.add_patch(Rectangle((across + 0.03, down + 0.04), 0.94, 0.92, fill=False, edgecolor=INK, linewidth=1.2))
    if row["is_own_data"]:
        axes.add_patch(
            Rectangle((across, down), 1, 1, fill=False, hatch="////", edgecolor=MUTED, linewidth=0, alpha=0.5)
        )
