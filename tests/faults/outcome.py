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
_FREE = re.compile(r".*_s|.*seconds.*|started_at|ended_at|trial_id|test_reads")
_TRIAL_ID = re.compile(r"[0-9a-f]{5,8}_\d{5}")
_EVENTS = re.compile(r"events\.out\.tfevents\..*")
#: A command that was killed after it had read test has to read it again, and the summary says so.
_READ_AGAIN = "Warning: test was read"


def differences(reference: Path, other: Path) -> list[str]:
    """Return a line for each value that differs between two studies' directories.

    Compared are the tables (rows in any order), ``evaluation.json``, every ``model.json``, and the SHA-256 of every
    file of weights.
    """
    ours, theirs = (dict(_leaves(_content(folder))) for folder in (reference, other))
    names = sorted(ours.keys() | theirs.keys())
    return [f"{name}: {ours.get(name)}, {theirs.get(name)}" for name in names if ours.get(name) != theirs.get(name)]


def stray_files(reference: Path, other: Path) -> list[str]:
    """Return the files that only the second folder has, and checkpoints of trials, a line each."""
    return [f"file {name}" for name in sorted(files(other) - files(reference))]


def files(folder: Path) -> set[str]:
    """Return the paths of the files in a folder; of what Tune keeps of a search only checkpoints."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    kept = [name for name in found if "/search/" not in name or "/checkpoint_" in name]
    return {_EVENTS.sub("events", name) for name in kept}


def _content(folder: Path) -> dict[str, Any]:
    tables = {name: pq.read_table(folder / name).to_pylist() for name in _TABLES}
    figures = json.loads((folder / "evaluation.json").read_text())
    figures["summary"] = [line for line in figures["summary"] if not line.startswith(_READ_AGAIN)]
    infos = {str(file.relative_to(folder)): json.loads(file.read_text()) for file in folder.rglob("model.json")}
    weights = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*.safetensors")
    }
    rows = {name: sorted(table, key=lambda row: repr(list(_leaves(row)))) for name, table in tables.items()}
    return {**rows, "evaluation.json": figures, **infos, **weights}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, _TRIAL_ID.sub("ID", repr(value))
        return
    for key, inner in items:
        if not _FREE.fullmatch(str(key)):
            yield from _leaves(inner, f"{path}/{key}")
