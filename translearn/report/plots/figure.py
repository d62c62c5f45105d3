"""The style of all plots, and plots as inline SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from translearn.config import SCRATCH

INK, MUTED, GRID = "#1f2933", "#6b7785", "#e3e7ec"
#: Okabe & Ito's palette, which colour-blind readers can tell apart; grey is kept for scratch.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#7A5195")
PROBE_COLOUR = "#7b4b1d"
_SYMBOLS = ("o", "s", "^", "D", "v", "P", "*")
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's font
    "text.parse_math": False,  # a class may be called "$x$"
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def draw(name: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Markup:
    """Paint a figure and return it as an ``<svg>`` element; equal input gives equal bytes.

    Args:
        name: Unique in the page; prefixes every id, because all plots share the page's.
        size: Width and height in inches; text is readable when shown at 96 pixels an inch.
        paint: Draws on the empty figure.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # matplotlib only measures the text; the reader's browser has the glyphs.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure, content = Figure(figsize=size, layout="constrained"), io.StringIO()
        paint(figure)
        figure.savefig(content, format="svg", metadata=_NO_METADATA)
    return Markup(_own_ids(name, content.getvalue()[content.getvalue().index("<svg") :]))


def colours(sources: Sequence[str]) -> dict[str, str]:
    """Return a colour for each source, by its position; grey for scratch."""
    palette = cycle(_PALETTE)
    return {name: MUTED if is_scratch(name) else next(palette) for name in dict.fromkeys(sources)}


def symbol(freeze_depth: int) -> str:
    """Return the marker of a freeze depth."""
    return _SYMBOLS[freeze_depth % len(_SYMBOLS)]


def is_scratch(source: str) -> bool:
    """Return whether a source's name is one of scratch, which no source with weights may have."""
    return source == SCRATCH or source.startswith(f"{SCRATCH}-")


def legend(figure: Figure, keys: Sequence[Line2D], num_columns: int = 4) -> None:
    """Put a legend of labelled lines below the plot."""
    figure.legend(handles=keys, loc="outside lower center", ncols=num_columns)


def percent(axis: Axis) -> None:
    """Label the ticks of an axis of fractions in percent."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def short(name: str, longest: int = 24) -> str:
    """Return a name of at most ``longest`` characters: a longer one would leave no room for the plot."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _own_ids(name: str, svg: str) -> str:
    """Prefix ids and references to them, in tags only, not in text."""

    def prefixed(tag: re.Match[str]) -> str:
        return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag.group())

    return re.sub(r"<[^<>]+>", prefixed, svg)
