"""The card of a model: a README in Markdown for who gets the model alone."""

from __future__ import annotations

import html
import re
from typing import Any

from markupsafe import Markup

from translearn.models.backbones.recipe import recipe
from translearn.models.model_info import ModelInfo
from translearn.report.templates import environment

_SPECIAL, _BREAKS = re.compile(r"([\\`*_\[\]|#~$])"), re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def model_card(info: ModelInfo, evaluation: dict[str, Any], data: str, origin: str, licence: str) -> str:
    """Render the card of a study's deployed model; names from users are escaped.

    Args:
        info: The content of its ``model.json``.
        evaluation: Of the study, as ``evaluation.json`` has it.
        data: The target's data as the study names it.
        origin: The weights that training started from, in words.
        licence: The licence of these, in words.
    """
    content = {"info": info, "evaluation": evaluation, "data": data, "origin": origin, "licence": licence}
    network = Markup(recipe(info.arch, len(info.classes), info.preprocessing.image_size))
    card = _rendered("card.md.j2", **content, network=network)
    return re.sub(r"\n{3,}", "\n\n", card)


def early_card(info: ModelInfo) -> str:
    """Render the card of a model that a study keeps until it has a better one; names from users are escaped.

    Args:
        info: The content of its ``model.json``; ``provenance`` says ``what`` it is.
    """
    return _rendered("early_card.md.j2", info=info)


def _rendered(name: str, **content: Any) -> str:
    template = environment(keep_trailing_newline=True, finalize=_escaped).get_template(name)
    return template.render(content)


def labels(info: ModelInfo) -> str:
    """Return the classes, a line each, in the order of the logits; line breaks in a name are spaces."""
    return "".join(f"{_BREAKS.sub(' ', name)}\n" for name in info.classes)


def _escaped(value: Any) -> str:
    """Return a value as a text that is the same in Markdown; markup as it is."""
    if isinstance(value, Markup):
        return value
    return _SPECIAL.sub(r"\\\1", html.escape(_BREAKS.sub(" ", str(value)), quote=False))
