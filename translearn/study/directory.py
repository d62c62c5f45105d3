"""The directory of a study: what it is a study of, made from what, by which command."""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

import translearn
from translearn.config import StudySpec
from translearn.config.paths import from_storage
from translearn.config.provenance import source_commit
from translearn.errors import SpecError, fault, raise_faults
from translearn.storage.file_systems import HASTY
from translearn.storage.folder import Folder

SPEC, PROVENANCE = "spec.yaml", "provenance.json"
SOURCES, TRIALS, CURVES = "sources.parquet", "trials.parquet", "curves.parquet"
COSTS = "costs.parquet"
RANKING, RANKING_TABLE, LEAKS = "ranking.json", "ranking.parquet", "leaks.json"
EVALUATION, REPORT, MODEL = "evaluation.json", "report.html", "model"
TEST_READS, MISTAKES, TARGET_CHECK = "test_reads.json", "mistakes.parquet", "target_check.json"
_FREE = "cluster.trackers."  # they change nothing in a study
_PACKAGES = ("torch", "torchvision", "ray", "pyarrow", "numpy", "optuna")


def open_study(spec: StudySpec, command: str) -> Folder:
    """Open the study's directory: a new one, or the one of the same spec, to go on with.

    Args:
        spec: The resolved spec.
        command: What the user can repeat to get the study.

    Raises:
        SpecError: The directory holds a study with another spec; names each changed field.
        StorageError: The storage cannot be written.
    """
    folder = Folder.open(spec.storage) / spec.name
    raise_faults(changes(folder, spec), SpecError)
    if not folder.exists(PROVENANCE):
        folder.write_bytes(SPEC, dump_spec(spec).encode())
        folder.write_json(PROVENANCE, provenance(spec, command))
    return folder.anchored(SPEC)


def nearest(location: str) -> Folder:
    """Open the storage at a location, or on a local disk its nearest parent that exists: to try it without a trace."""
    folder = Folder.open(location, HASTY)
    while folder.is_local and not folder.exists():
        folder = Folder.open(Path(folder.path).parent)
    return folder


def dump_spec(spec: StudySpec) -> str:
    """Return the resolved spec as YAML."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, width=110)


def changes(folder: Folder, spec: StudySpec) -> list[str]:
    """Return a line for each field that differs from the spec of the study in the folder; none where it is new."""
    if not folder.exists(SPEC):
        return []
    was, now = _old_spec(folder), spec.model_dump(mode="json")
    old, new = _flat(was), _flat(now)
    before, after = _flat(from_storage(was)), _flat(from_storage(now))  # a move of all together changes nothing
    remedy = f"Use another `name`, or delete {folder.uri} to start again."
    return [
        fault(path, f"must stay {old.get(path)!r} as in {folder.address(SPEC)}", repr(new.get(path)), remedy)
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path) and before.get(path) != after.get(path) and not path.startswith(_FREE)
    ]


def _old_spec(folder: Folder) -> dict[str, Any]:
    remedy = f"Put the file back as it was, or delete {folder.uri} to start again."
    try:
        old = yaml.safe_load(folder.read_bytes(SPEC))
    except yaml.YAMLError as error:
        rule, got = "must be YAML", f"something else ({' '.join(str(error).split())})"
        raise SpecError(fault(folder.address(SPEC), rule, got, remedy)) from error
    if not isinstance(old, dict):
        raise SpecError(fault(folder.address(SPEC), "must be a study file", type(old).__name__, remedy))
    return old


def provenance(spec: StudySpec, command: str) -> dict[str, Any]:
    """Return the origin of the study as JSON: versions, commit, machine, seed, command and start."""
    return {
        "command": command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": spec.seed,
        "spec_sha256": hashlib.sha256(dump_spec(spec).encode()).hexdigest(),
        "translearn": translearn.__version__,
        "commit": source_commit(),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in _PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def add_fingerprints(folder: Folder, data: dict[str, str], weights: dict[str, str | None]) -> None:
    """Add the fingerprints of data sets and sources, by name, to ``provenance.json``."""
    known = folder.read_json(PROVENANCE)
    if "data_fingerprints" not in known:
        folder.write_json(PROVENANCE, {**known, "data_fingerprints": data, "weight_fingerprints": weights})


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    leaves = {path: value} if not isinstance(value, dict | list) or not value else {}
    for key, inner in items:
        leaves |= _flat(inner, f"{path}.{key}" if path else str(key))
    return leaves
