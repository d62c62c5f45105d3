"""Sections of evaluation.json that the refits' own figures on validation give, without any reading of test."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from translearn.config import StudySpec
from translearn.evaluation.dynamics import Curve, dynamics
from translearn.evaluation.intervals.interval import over_seeds
from translearn.evaluation.label_efficiency import LabelPoint, label_efficiency
from translearn.evaluation.predictions import SCRATCH, TRANSFER
from translearn.storage.folder import Folder
from translearn.study.directory import CURVES
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.label_runs import best_pair, label_run_name, label_sizes
from translearn.study.refits.more_refits import failed_runs
from translearn.study.refits.refit import REFIT, run_error, run_name


def candidate_rows(
    candidates: list[Candidate], errors: dict[str, list[float]], chosen: dict[str, Candidate]
) -> list[dict[str, Any]]:
    """Return a row a candidate: its trial, its errors in the search and over its refits, and its roles."""
    return [_candidate_row(candidate, errors[candidate.name], chosen) for candidate in candidates]


def dynamics_of(spec: StudySpec, folder: Folder, chosen: dict[str, Candidate]) -> dict[str, Any] | None:
    """Return how fast the chosen configurations learnt, by their refits' curves; None without scratch's threshold."""
    if SCRATCH not in chosen:
        return None
    rows = [row for row in folder.read_table(CURVES).to_pylist() if row["stage"] == REFIT]
    return dynamics(
        {
            role: [_curve(rows, run_name(candidate, index)) for index in range(spec.refit.seeds)]
            for role, candidate in chosen.items()
        }
    )


def labels_of(
    spec: StudySpec, folder: Folder, labels: np.ndarray, candidates: list[Candidate], errors: dict[str, list[float]]
) -> dict[str, Any] | None:
    """Return the label-efficiency curve of the best trials with transfer and from scratch; None unless asked for,
    and without both. A number of labels at which a run diverged is left out."""
    pair = best_pair(candidates)
    if not spec.refit.label_fractions or len(pair) < 2:
        return None
    runs = _label_runs(spec, folder, labels)
    if not runs:
        return None
    points = {
        role: [LabelPoint(num, [run_error(folder, name) for name in names[role]]) for num, names in runs.items()]
        + [LabelPoint(len(labels), errors[candidate.name])]
        for role, candidate in pair.items()
    }
    return {"candidates": {role: candidate.name for role, candidate in pair.items()}, **label_efficiency(**points)}


def _label_runs(spec: StudySpec, folder: Folder, labels: np.ndarray) -> dict[int, dict[str, list[str]]]:
    """Return the names of the runs by number of labels and role, where all came to their end."""
    found = {
        num: {
            role: [label_run_name(role, fraction, index) for index in range(spec.refit.label_seeds)]
            for role in (TRANSFER, SCRATCH)
        }
        for fraction, num in label_sizes(spec, labels).items()
    }
    return {num: names for num, names in found.items() if not failed_runs(folder, chain(*names.values()))}


def _candidate_row(candidate: Candidate, errors: list[float], chosen: dict[str, Candidate]) -> dict[str, Any]:
    interval, trial = over_seeds(errors, 0, 1), candidate.trial
    return {
        "name": candidate.name,
        **{key: trial[key] for key in ("trial_id", "source", "arch", "freeze_depth", "lr", "weight_decay")},
        "search_error": trial["val_error"],
        "refit_error": sum(errors) / len(errors),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "chosen_as": [role for role, found in chosen.items() if found is candidate],
    }


def _curve(rows: list[dict[str, Any]], run: str) -> Curve:
    mine = sorted((row for row in rows if row["run"] == run), key=lambda row: row["epoch"])
    return Curve([row["val_error"] for row in mine], [row["seconds"] for row in mine])
