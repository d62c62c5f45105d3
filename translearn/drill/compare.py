"""Whether two runs of a study came to the same: files, tables, figures and weights, bit for bit, but for times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from translearn.drill.leftovers import files

#: What depends on the clock, and on which processes did what together.
_TIMES = {
    "trials.parquet": ("seconds", "started_at", "ended_at", "reused_s", "fused", "fused_s", "cached_s"),
    "curves.parquet": ("seconds", "images_per_s"),
    "sources.parquet": ("seconds",),
    "mistakes.parquet": (),
}


def differences(reference: Path, other: Path) -> list[str]:
    """What differs between two studies' directories, a line each; none where they are equal.

    Compared are the tables without times, ``evaluation.json`` without times and without how often test was read, every
    ``model.json``, and the SHA-256 of the tensors of every model. Of all other files it is only said that they are
    missing: ``stray_files`` tells of those that are too many.
    """
    missing = sorted(files(reference) - files(other))
    if missing:
        return [f"{name}: is missing" for name in missing]
    found = [*_tables(reference, other), *_figures(reference, other)]
    ours, theirs = _models(reference), _models(other)
    names = sorted(ours.keys() | theirs.keys())
    return found + [f"{name}: other content" for name in names if ours.get(name) != theirs.get(name)]


def _tables(reference: Path, other: Path) -> Iterator[str]:
    for name, times in _TIMES.items():
        ours, theirs = (pq.read_table(folder / name).drop_columns(list(times)) for folder in (reference, other))
        if not ours.equals(theirs):
            columns = [c for c in ours.column_names if c not in theirs.column_names or ours[c] != theirs[c]]
            yield f"{name}: {', '.join(columns)}"


def _figures(reference: Path, other: Path) -> Iterator[str]:
    ours, theirs = (dict(_leaves(_evaluation(folder))) for folder in (reference, other))
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            yield f"evaluation.json: {path}"


def _evaluation(folder: Path) -> dict[str, Any]:
    """A command that was killed after it had read test has to read it again, and the summary says so."""
    found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return {**found, "summary": [line for line in found["summary"] if not line.startswith("Warning: test was read")]}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, inner in items:
        if not _is_free(str(key)):
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))


def _is_free(key: str) -> bool:
    return key.endswith("_s") or "seconds" in key or key in ("test_reads", *_TIMES["trials.parquet"])


def _models(folder: Path) -> dict[str, str]:
    found = sorted([*folder.rglob("*.safetensors"), *folder.rglob("model.json")])
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}
