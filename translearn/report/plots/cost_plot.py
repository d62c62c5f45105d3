"""Plot of the sources' target error against the latency of their networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from translearn.report.plots.figure import INK, MUTED, draw, legend, percent, short, symbol


def cost_plot(
    sources: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]], colours: Mapping[str, str]
) -> Markup | None:
    """Draw a point a source: colour = source, symbol = architecture, filled = on the Pareto front.

    The error is that of the source's best trial on validation, of those that came farthest. None where all tried
    sources have one architecture, and so one latency.

    Args:
        sources: Rows of the sources table.
        trials: Rows of the trials table.
        colours: Source name to colour.
    """
    rows = [{**row, "error": error} for row in sources if (error := _best(row["name"], trials)) is not None]
    archs = list(dict.fromkeys(row["arch"] for row in rows))
    if len(archs) < 2:
        return None
    points = [(latency(row), row["error"]) for row in rows]
    front = pareto_front(points)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color=INK, linewidth=1, alpha=0.6)
        for row, point in zip(rows, points, strict=True):
            colour = colours[row["name"]]
            face = colour if point in front else "none"
            look: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markersize": 7}
            axes.plot(*point, symbol(archs.index(row["arch"])), **look)
        axes.set(xscale="log", xlabel=f"latency of one image, ms ({device(rows[0])})", ylabel="validation error")
        axes.set_ylim(bottom=0)
        percent(axes.yaxis)
        _plain(axes)
        legend(figure, _keys({row["name"]: colours[row["name"]] for row in rows}, archs), num_columns=3)

    return draw("cost", (6.4, 4.4), paint)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other is below: better at one figure and as good at the other. In ascending order."""
    return sorted({point for point in points if not any(_is_below(other, point) for other in points)})


def latency(row: Mapping[str, Any]) -> float:
    """Return the latency that limits count, in milliseconds: on the GPU where one was measured, else on the CPU."""
    return float(row["cpu_latency_ms"] if row["gpu_latency_ms"] is None else row["gpu_latency_ms"])


def device(row: Mapping[str, Any]) -> str:
    """Return the device of ``latency`` in words."""
    return str(row["gpu"] or f"one thread of {row['cpu']}")


def _best(source: str, trials: Sequence[Mapping[str, Any]]) -> float | None:
    own = [trial for trial in trials if trial["source"] == source and trial["status"] != "failed"]
    best = min(own, key=lambda trial: (-trial["epochs"], trial["val_error"]), default=None)
    return None if best is None else float(best["val_error"])


def _is_below(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


def _plain(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _keys(colours: Mapping[str, str], archs: Sequence[str]) -> list[Line2D]:
    # A line has a colour and no shape, a symbol a shape in grey.
    keys = [Line2D([], [], label=name, color=colour, linewidth=6) for name, colour in colours.items()]
    look: dict[str, Any] = {"linestyle": "none", "color": MUTED}
    keys += [Line2D([], [], marker=symbol(place), label=short(arch), **look) for place, arch in enumerate(archs)]
    return [*keys, Line2D([], [], label="Pareto front", color=INK, linewidth=1, alpha=0.6)]
