"""Templates of the report's pages."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from translearn.report.words import FILTERS


def render_template(template: str, /, **content: Any) -> str:
    """Render a template as a self-contained HTML page; escape all text of the content but markup."""
    found = environment(autoescape=True)
    assert found.loader
    style, _, _ = found.loader.get_source(found, "style.css")
    return found.get_template(template).render(style=Markup(style), **content)


def environment(**options: Any) -> Environment:
    """Return Jinja's environment of the report's templates, with the filters of ``words``; ``options`` are Jinja's."""
    loader = PackageLoader("translearn", "report")
    found = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)
    found.filters.update(FILTERS)
    return found
