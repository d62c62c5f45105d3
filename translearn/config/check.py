"""Conversion of plain data to a study, or to all its faults: of single values and between values."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import defaultdict
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from translearn.config.across import faults_between_values
from translearn.config.adamw import with_defaults_of_adamw
from translearn.config.study import StudySpec
from translearn.errors import SpecError, fault, raise_faults
from translearn.storage.uris import masked

_LONGEST_VALUE = 120
#: Keys of earlier versions, and what took their place.
RENAMED = {
    "search.mode": "Use search.scheduler: asha stops trials early, none runs all to their end.",
    "search.algorithm": "Use search.sampler.",
    "search.views": "Leave it out: every epoch augments anew.",
    "search.boundaries": "Leave it out: features of linear probes are shared by themselves.",
    "search.trials_together": "Leave it out: each trial runs for itself.",
    "cluster.mlflow": "Use cluster.trackers.mlflow.tracking_uri.",
    "cluster.boundary_memory_gb": "Leave it out: nothing is stored between trials.",
    "cluster.boundary_disk_gb": "Leave it out: nothing is stored between trials.",
}


def parse_spec(tree: object) -> StudySpec:
    """Return the study in plain data, as YAML or JSON gives it; a ``Path`` is text.

    Raises:
        SpecError: Holds every fault, a line each: dotted path, rule, value, remedy.
    """
    plain = with_defaults_of_adamw(_plain(tree))
    faults = faults_between_values(plain)
    try:
        spec = StudySpec.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        raise SpecError("\n".join(_lines(error.errors(), plain) + faults)) from None
    raise_faults(faults, SpecError)
    return spec


def _plain(tree: object) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise SpecError(fault("study", "must be a mapping of keys to values", type(tree).__name__, "See the README."))
    try:
        return dict(from_json(json.dumps(tree, ensure_ascii=False, default=os.fspath).encode()))
    except (TypeError, ValueError, RecursionError) as error:
        rule = "must be plain data (mappings, lists, text, numbers)"
        raise SpecError(fault("study", rule, f"something else ({error})", "See workflows/configs.")) from None


def _lines(details: list[ErrorDetails], tree: dict[str, Any]) -> list[str]:
    """Return a line for each faulty value: pydantic reports one for each member of a union that does not fit."""
    by_path: dict[str, list[ErrorDetails]] = defaultdict(list)
    for detail in details:
        # pydantic counts sound items only; the faults of the others are reported anyway.
        if detail["type"] != "too_short" or not detail["input"]:
            by_path[_path(detail, tree)].append(detail)
    return [_line(path, at_path) for path, at_path in by_path.items()]


def _path(detail: ErrorDetails, tree: object) -> str:
    """Return the dotted path of a fault, without the members of unions that pydantic adds to it."""
    parts: list[str] = []
    node: Any = tree
    for part in detail["loc"]:
        if _holds(node, part):
            node = node[part]
        elif detail["type"] != "missing":
            break
        text = str(part)
        parts.append(text if text and text.isprintable() else repr(part))
    return ".".join(parts)


def _holds(node: object, part: int | str) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _line(path: str, details: list[ErrorDetails]) -> str:
    first = details[0]
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, first["loc"])
    if first["type"] == "missing":
        return f"{path}: is required, but is missing. Add it; see workflows/configs for an example."
    rule, *others = dict.fromkeys(_rule(detail) for detail in details)
    rule = " or ".join([rule, *(other.removeprefix("must be ") for other in others)])
    remedy = next(filter(None, (_remedy(detail) for detail in details)), "")
    return fault(path, rule, _shown(first["input"]), remedy)


def _rule(detail: ErrorDetails) -> str:
    message = detail["msg"][0].lower() + detail["msg"][1:]
    rule = re.sub(r"^(input|string|value|tuple|list) should", "must", message)
    return re.sub(r" after validation, not \d+$", "", rule)


def _remedy(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    names = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    near = difflib.get_close_matches(str(detail["input"]), names, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else str(context.get("remedy", ""))


def _shown(value: object) -> str:
    text = masked(repr(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _unknown_key(path: str, location: tuple[int | str, ...]) -> str:
    if path in RENAMED:
        return f"{path}: is not a known key any more. {RENAMED[path]}"
    known = _known_keys(StudySpec, location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    remedy = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
    return f"{path}: is not a known key. {remedy}"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, str):
            model = model_in(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field, inside any containers; None where the field holds plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [model_in(inner) for inner in get_args(annotation)] if get_origin(annotation) else []
    return next((model for model in found if model), None)
