"""Comparison of two runs of a study: tables, figures and weights, bit for bit, but for times and Tune's trial ids."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

_TABLES = ("trials.parquet", "curves.parquet", "sources.parquet", "mistakes.parquet")
_FREE = re.compile(r".*_m?s|.*seconds.*|started_at|ended_at|trial_id|test_reads")
TRIAL_ID = re.compile(r"(?<=-)[0-9a-f]{8}\b")
_EVENTS = re.compile(r"events\.out\.tfevents\..*")


def differences(reference: Path, other: Path) -> list[str]:
    """Return a line for each value that differs between two studies' directories.

    Compared are the tables (rows in any order), ``evaluation.json``, every ``model.json``, and the SHA-256 of every
    file of weights.
    """
    ours, theirs = (dict(_leaves(_content(folder))) for folder in (reference, other))
    names = sorted(ours.keys() | theirs.keys())
    return [f"{name}: {ours.get(name)}, {theirs.get(name)}" for name in names if ours.get(name) != theirs.get(name)]


def files(folder: Path) -> set[str]:
    """Return the paths of the files in a folder; of what Tune keeps of a search only checkpoints."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return {_EVENTS.sub("events", name) for name in found if "/search/" not in name or "/checkpoint_" in name}


def _content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {name: _rows(folder / name) for name in _TABLES}
    for file in [folder / "evaluation.json", *folder.rglob("model.json")]:
        found[str(file.relative_to(folder))] = json.loads(file.read_text())
    for file in folder.rglob("*.safetensors"):
        found[str(file.relative_to(folder))] = hashlib.sha256(file.read_bytes()).hexdigest()
    # Some of the figures in words: fewer where a second reading of test takes a line.
    del found["evaluation.json"]["summary"]
    return found


def _rows(table: Path) -> list[dict[str, Any]]:
    return sorted(pq.read_table(table).to_pylist(), key=lambda row: repr(list(_leaves(row))))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, TRIAL_ID.sub("ID", repr(value))
        return
    for key, inner in items:
        if not _FREE.fullmatch(str(key)):
            yield from _leaves(inner, f"{path}/{key}")
