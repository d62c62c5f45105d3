"""Validation error of every trial, by learning rate."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from translearn.report.plots.figure import INK, MUTED, draw, legend, percent, symbol

_FAILED = "#b3261e"


def trial_plot(trials: list[dict[str, Any]], colours: dict[str, str], winner: str | None) -> Markup:
    """Draw a point a trial: colour = source, symbol = freeze depth, hollow = stopped early, cross = failed.

    Args:
        trials: Rows of the trials table.
        colours: Source name to colour.
        winner: The ``trial_id`` to draw a ring around.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for trial in trials:
            _point(axes, trial, colours[trial["source"]], trial["trial_id"] == winner)
        axes.set(xscale="log", xlabel="learning rate", ylabel="validation error")
        axes.set_ylim(bottom=0)
        percent(axes.yaxis)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda lr, _: f"{lr:g}"))  # the default one needs math text
        axes.xaxis.set_minor_formatter(NullFormatter())
        legend(figure, _keys(trials, colours))

    return draw("trials", (6.4, 4.4), paint)


def _point(axes: Axes, trial: dict[str, Any], colour: str, is_winner: bool) -> None:
    if trial["val_error"] is None:
        # Failed before it had an error: on the upper edge, at its learning rate.
        axes.plot(trial["lr"], 0.98, "x", color=_FAILED, transform=axes.get_xaxis_transform(), clip_on=False)
        return
    face = colour if trial["status"] == "done" else "none"
    look: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": colour, "alpha": 0.85, "markersize": 6}
    axes.plot(trial["lr"], trial["val_error"], symbol(trial["freeze_depth"]), **look)
    if trial["status"] == "failed":
        axes.plot(trial["lr"], trial["val_error"], "x", color=_FAILED)
    if is_winner:
        axes.plot(trial["lr"], trial["val_error"], "o", markersize=14, markerfacecolor="none", markeredgecolor=INK)


def _keys(trials: list[dict[str, Any]], colours: dict[str, str]) -> list[Line2D]:
    statuses = {trial["status"] for trial in trials}
    depths = sorted({trial["freeze_depth"] for trial in trials})
    # A line has a colour and no shape: a circle would be the symbol of a freeze depth.
    keys = [Line2D([], [], label=label, color=colour, linewidth=6) for label, colour in colours.items()]
    keys += [_key(symbol(depth), f"freeze depth {depth}", color=MUTED) for depth in depths]
    if "stopped" in statuses:
        keys.append(_key("o", "stopped early", color=MUTED, markerfacecolor="none"))
    if "failed" in statuses:
        keys.append(_key("x", "failed", color=_FAILED))
    return [*keys, _key("o", "winner", color=INK, markerfacecolor="none", markersize=10)]


def _key(marker: str, label: str, **look: Any) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, label=label, **look)
