"""Templates of the report's pages."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from translearn.report.words import FILTERS


def render_template(template: str, /, **content: Any) -> str:
    """Render a template as a self-contained HTML page; escape all text of the content but markup."""
    loader = PackageLoader("translearn", "report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(FILTERS)
    style, _, _ = loader.get_source(environment, "style.css")
    return environment.get_template(template).render(style=Markup(style), **content)
