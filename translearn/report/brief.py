"""The summary of a study as a piece of HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translearn.report.templates import environment
from translearn.report.words import heading_and_lead


def render_brief(evaluation: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """Render the verdict and the closing lines of a study.

    Args:
        evaluation: The content of ``evaluation.json``.
        places: Where its parts are, by what they are called.

    Returns:
        A ``div``; all text from users is escaped.
    """
    heading, lead = heading_and_lead(evaluation["verdict"])
    template = environment(autoescape=True).get_template("brief.html.j2")
    lines = [line for line in evaluation["summary"] if line != evaluation["verdict"]["sentence"]]
    return template.render(heading=heading, lead=lead, lines=lines, places=places)
