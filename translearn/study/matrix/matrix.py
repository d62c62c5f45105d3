"""Every source of a study against every target of a list: what each gains there over scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.config.names import as_name
from translearn.errors import InputError, TranslearnError, fault, raise_faults
from translearn.evaluation.gain_matrix import asymmetries, gain_rows
from translearn.report.matrix_page import doubts, render_matrix
from translearn.report.words import percent, points
from translearn.storage.folder import Folder
from translearn.storage.uris import join
from translearn.study.matrix.matrix_target import outcomes_on, target_spec
from translearn.study.opening import Study
from translearn.study.planning.plan import check_study
from translearn.study.sources.obtain import obtain_sources
from translearn.study.tables import TRIAL_SCHEMA, table

MATRIX, ASYMMETRY, PAGE, FOLDER = "matrix.parquet", "asymmetry.parquet", "matrix.html", "matrix"
_text, _int, _float = pa.string(), pa.int64(), pa.float64()
MATRIX_SCHEMA = pa.schema(
    [
        ("target", _text),
        ("source", _text),
        ("arch", _text),
        *(TRIAL_SCHEMA.field(name) for name in ("freeze_depth", "lr", "weight_decay")),
        ("gain", _float),
        ("low", _float),
        ("high", _float),
        ("family_low", _float),
        ("family_high", _float),
        ("verdict", _text),
        ("error", _float),
        ("error_low", _float),
        ("error_high", _float),
        ("scratch_error", _float),
        ("scratch_error_low", _float),
        ("scratch_error_high", _float),
        ("num_seeds", _int),
        ("num_examples", _int),
        ("num_comparisons", _int),
        ("is_own_data", pa.bool_()),
        ("num_exact", _int),
        ("num_near", _int),
        ("test_reads", _int),
    ]
)
ASYMMETRY_SCHEMA = pa.schema(
    [
        ("first", _text),
        ("second", _text),
        ("difference", _float),
        ("low", _float),
        ("high", _float),
        ("forward", _text),
        ("backward", _text),
    ]
)


def find_targets(spec: StudySpec, directory: str | None, named: Sequence[str]) -> dict[str, str]:
    """Return the targets of a matrix, by name, each checked as the target of a study.

    Args:
        spec: The study whose sources are tried.
        directory: Each data set in it is a target, called like its folder or file; None for no directory.
        named: ``NAME=DATA``, where DATA is all that ``target.data`` may be.

    Raises:
        InputError: There is no target, two have one name, or one that was named is no data set.
    """
    found = _listed(spec, directory) if directory else {}
    faults, options = [], [text.partition("=") for text in named]
    for name, equals, data in options:
        if not (name and equals and data) or name != as_name(name):
            rule = "must be NAME=DATA, with letters, digits, '.', '_' and '-' in NAME"
            faults.append(fault("--target", rule, f"{name}{equals}{data}", "For example digits=sklearn:digits."))
        elif name in found:
            faults.append(fault("--target", "must have another name than other targets", name, "Rename it."))
        else:
            faults += [f"--target {name}: {line}" for line in _faults(spec, name, data)]
            found[name] = data
    if not found and not faults:
        faults = [fault("--targets", "must hold a data set", directory or "no directory", "See docs/data.md.")]
    raise_faults(faults)
    return found


def run_matrix(study: Study, targets: Mapping[str, str], command: str) -> dict[str, Any]:
    """Try every source on every target, go on where an earlier command left off, and leave the matrix.

    Leaves ``matrix/`` in the study's directory: a directory a target, ``matrix.parquet``, ``asymmetry.parquet`` and
    ``matrix.html``.
    """
    sources = obtain_sources(study.spec, study.folder, study.resources)
    root, found = study.folder / FOLDER, []
    for place, (name, data) in enumerate(targets.items(), 1):
        say(f"target {place} of {len(targets)}: {name}")
        spec = target_spec(study.spec, root, name, data)
        found += outcomes_on(spec, sources, study.folder, study.resources, command)
    rows, directions = gain_rows(found), [asdict(one) for one in asymmetries(found)]
    if not rows:
        raise TranslearnError("matrix: no source came to its end beside scratch on any target. See what is left out.")
    root.write_table(ASYMMETRY, table(directions, ASYMMETRY_SCHEMA))
    root.write_table(MATRIX, table(rows, MATRIX_SCHEMA))
    root.write_bytes(PAGE, render_matrix(study.spec.name, rows, directions).encode())
    for row in rows:
        say(_line(row))
    say(f"matrix: {root.address(PAGE)}")
    return {"matrix": root.address(MATRIX), "page": root.address(PAGE), "cells": rows, "asymmetry": directions}


def _line(row: dict[str, Any]) -> str:
    interval = f"{points(row['family_low'])} to {points(row['family_high'])}"
    mark = f"  ({words})" if (words := doubts(row)) else ""
    gain = f"gain {points(row['gain'])} points ({interval})  {row['verdict']}{mark}"
    return f"{row['source']:>16s} -> {row['target']:16s} error {percent(row['error']):>7s}  {gain}"


def _listed(spec: StudySpec, directory: str) -> dict[str, str]:
    """Return the data sets in a directory; other entries are named."""
    folder = Folder.open(directory)
    if not folder.exists():
        raise InputError(fault("--targets", "must be a directory", directory, "Name one that holds data sets."))
    found: dict[str, str] = {}
    for entry in folder.names():
        name, data = as_name(PurePosixPath(entry).stem), join(directory, entry)
        lines = _faults(spec, name, data)
        if lines or name in found:
            say(f"left out: {data}: {lines[0] if lines else f'there is a target {name} already'}")
        else:
            found[name] = data
    return found


def _faults(spec: StudySpec, name: str, data: str) -> list[str]:
    try:
        check_study(target_spec(spec, Folder.open(spec.storage) / spec.name / FOLDER, name, data))
    except TranslearnError as error:
        return str(error).splitlines()
    return []
