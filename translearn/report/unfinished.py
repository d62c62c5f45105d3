"""The page of a study that was interrupted before its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from translearn.report.templates import render_template


def render_unfinished(name: str, lines: Sequence[str], command: str) -> str:
    """Render a self-contained HTML page; all text from users is escaped.

    Args:
        name: The study's.
        lines: What it has done, what it has not, and what model there is.
        command: What goes on with it.
    """
    return render_template("unfinished.html.j2", name=name, lines=lines, command=command)
