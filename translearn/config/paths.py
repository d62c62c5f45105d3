"""Relative paths of a study file: they begin at the file's folder, wherever the command runs."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_KIND = re.compile(r"[a-z][a-z0-9+.-]+:")  # s3://bucket, sklearn:digits
_WORDS = ("auto", "off")  # of search.warm_start


def with_absolute_paths(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a study's plain data with every relative path in it continued from a folder.

    Args:
        tree: As YAML gives it; it may break rules, and what is no text stays as it is.
        folder: Where relative paths begin.
    """
    # resolve() would follow links, and a study would name another place when a link is changed.
    return _with_paths(tree, lambda path: os.path.abspath(folder / path))  # noqa: PTH100


def from_storage(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a study's plain data with its paths as they lead from its storage: a move of all together changes none."""
    storage = tree.get("storage")
    if not isinstance(storage, str) or not storage.startswith("/"):
        return tree
    return _with_paths(tree, lambda path: os.path.relpath(path, storage))


def _with_paths(tree: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    tree = copy.deepcopy(tree)
    for section, key in _places(tree):
        place = section.get(key)
        if isinstance(place, str) and place not in _WORDS and not _KIND.match(place) and not place.startswith("~"):
            section[key] = change(place)
    return tree


def _places(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the mappings, and the key in them, that may hold a path."""
    yield tree, "storage"
    sources = tree.get("sources")
    for section, key in ((tree.get("target"), "data"), (tree.get("search"), "warm_start")):
        yield from [(section, key)] if isinstance(section, dict) else []
    for source in sources if isinstance(sources, list) else []:
        for section, key in _of_source(source):
            yield from [(section, key)] if isinstance(section, dict) else []


def _of_source(source: Any) -> Iterator[tuple[Any, str]]:
    yield source, "checkpoint"
    yield source, "data"
    yield source.get("pretrain") if isinstance(source, dict) else None, "data"
