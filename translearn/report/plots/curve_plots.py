"""Learning curves: of the search's trials, of the refits, of the sources' pre-training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from translearn.report.plots.figure import INK, draw, legend, percent
from translearn.report.words import role

_MAX_RUNS = 100  # more lines than this cannot be told apart, and make the page heavy
_SIZE = (5.0, 3.2)

Rows = list[dict[str, Any]]


def search_plot(rows: Rows, source_of: dict[str, str], colours: dict[str, str]) -> Markup:
    """Draw validation error by epoch, a line a trial in its source's colour; the 100 best where there are more."""
    runs = dict(sorted(by_run(rows).items(), key=lambda run: _last(run[1], "val_error"))[:_MAX_RUNS])

    def paint(axes: Axes) -> None:
        for run, curve in runs.items():
            _line(axes, curve, "val_error", color=colours[source_of[run]], linewidth=1, alpha=0.6)
        _legend(axes, {name: colour for name, colour in colours.items() if name in source_of.values()})

    return _plot("search", paint)


def refit_error_plot(rows: dict[str, Rows], roles: dict[str, str], threshold: float | None) -> Markup:
    """Draw validation error by epoch of the refits by role: a thin line a seed, their mean bold.

    Args:
        rows: Role to the rows of its runs in the curves table.
        roles: Role to colour.
        threshold: The error that is timed, where there is one.
    """

    def paint(axes: Axes) -> None:
        for name, of_role in rows.items():
            curves = list(by_run(of_role).values())
            for curve in curves:
                _line(axes, curve, "val_error", color=roles[name], linewidth=1, alpha=0.45)
            _line(axes, _mean(curves, "val_error"), "val_error", color=roles[name], linewidth=2.2)
        if threshold is not None:
            axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=":")
        _legend(axes, {role(name): colour for name, colour in roles.items()})

    return _plot("refit-error", paint)


def refit_loss_plot(rows: dict[str, Rows], roles: dict[str, str]) -> Markup:
    """Draw loss by epoch of the refits, mean over seeds: training dashed, validation solid; arguments as above."""

    def paint(axes: Axes) -> None:
        for name, of_role in rows.items():
            curves = list(by_run(of_role).values())
            _line(axes, _mean(curves, "train_loss"), "train_loss", color=roles[name], linestyle="--")
            _line(axes, _mean(curves, "val_loss"), "val_loss", color=roles[name])
        _legend(axes, {role(name): colour for name, colour in roles.items()}, {"training": "--", "validation": "-"})

    return _plot("refit-loss", paint, "loss")


def pretrain_plot(rows: Rows, colours: dict[str, str]) -> Markup:
    """Draw source validation error by epoch, a line a pre-trained source."""

    def paint(axes: Axes) -> None:
        for run, curve in by_run(rows).items():
            _line(axes, curve, "val_error", color=colours.get(run, INK))
        _legend(axes, {run: colours.get(run, INK) for run in by_run(rows)})

    return _plot("pretrain", paint)


def by_run(rows: Rows) -> dict[str, Rows]:
    """Return the rows of each run, ordered by epoch."""
    runs: dict[str, Rows] = {}
    for row in sorted(rows, key=lambda row: row["epoch"]):
        runs.setdefault(row["run"], []).append(row)
    return runs


def _mean(curves: list[Rows], column: str) -> Rows:
    epochs = sorted({row["epoch"] for curve in curves for row in curve})
    values = {epoch: [row[column] for curve in curves for row in curve if row["epoch"] == epoch] for epoch in epochs}
    return [{"epoch": e, column: float(np.mean([v for v in values[e] if v is not None] or [np.nan]))} for e in epochs]


def _last(curve: Rows, column: str) -> float:
    value = curve[-1][column]
    return float("inf") if value is None else float(value)


def _line(axes: Axes, curve: Rows, column: str, **look: Any) -> None:
    # A run of one epoch would be an invisible line.
    marker = "o" if len(curve) == 1 else None
    values = np.array([row[column] for row in curve], dtype=np.float64)
    axes.plot([row["epoch"] for row in curve], values, marker=marker, markersize=3, **look)


def _legend(axes: Axes, colours: dict[str, str], styles: dict[str, str] | None = None) -> None:
    keys = [Line2D([], [], color=colour, label=label, linewidth=2) for label, colour in colours.items()]
    keys += [Line2D([], [], color=INK, linestyle=style, label=label) for label, style in (styles or {}).items()]
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    legend(figure, keys)


def _plot(name: str, paint: Callable[[Axes], None], label: str = "validation error") -> Markup:
    def whole(figure: Figure) -> None:
        axes = figure.add_subplot()
        paint(axes)
        axes.set(xlabel="epoch", ylabel=label)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if label.endswith("error"):
            percent(axes.yaxis)

    return draw(name, _SIZE, whole)
