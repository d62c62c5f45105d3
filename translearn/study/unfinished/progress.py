"""How far a study that has no verdict yet has come, as its directory says: for who interrupts it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from translearn.cluster.tracking.console import say
from translearn.cluster.tuning.tuner import SCRATCH_SEARCH, SEARCH
from translearn.config import StudySpec
from translearn.models.model_info import MARKER, read_info
from translearn.report.unfinished import render_unfinished
from translearn.storage.folder import Folder
from translearn.study.directory import EVALUATION, MODEL, PROVENANCE, RANKING, REPORT, SOURCES, TRIALS
from translearn.study.refits.refit import REFIT

_RESULTS = "result.json"


@contextmanager
def told_when_interrupted(spec: StudySpec, folder: Folder) -> Iterator[None]:
    """Leave ``report.html``, and print the same, where Ctrl-C or SIGTERM ends the block before there are figures."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if not folder.exists(EVALUATION):
            tell_progress(spec, folder)
        raise


def tell_progress(spec: StudySpec, folder: Folder) -> None:
    """Write a page that says how far a study has come, and print its lines."""
    lines, command = progress_lines(spec, folder), folder.read_json(PROVENANCE)["command"]
    folder.write_bytes(REPORT, render_unfinished(spec.name, lines, command).encode())
    for line in ["No verdict yet.", *lines, f"To go on: {command}", f"report: {folder.address(REPORT)}"]:
        say(line)


def progress_lines(spec: StudySpec, folder: Folder) -> list[str]:
    """Return what a study has done, a line a step, what it has not, and the model that there is."""
    lines = [
        f"Sources: {_sources(spec, folder)}.",
        *([f"Ranking: {_ranking(folder)}."] if spec.search.prior == "auto" else []),
        *_search(spec, folder),
        f"Refits: {_num_refits(folder)} done.",
        "Test: not read yet.",
    ]
    return [*lines, _model(folder)]


def _sources(spec: StudySpec, folder: Folder) -> str:
    num = len(spec.sources)
    if not folder.exists(SOURCES):
        return f"not all of {num} at hand yet"
    return f"{num} at hand" + (", and scratch" if num else "")


def _ranking(folder: Folder) -> str:
    return f"{', '.join(folder.read_json(RANKING)['order'])}, best first" if folder.exists(RANKING) else "not done yet"


def _search(spec: StudySpec, folder: Folder) -> list[str]:
    """Return how many trials there are, and the best so far."""
    trials = _kept(folder) if folder.exists(TRIALS) else _begun(folder)
    num_ended = sum(trial["is_over"] for trial in trials)
    lines = [f"Search: {num_ended} of {spec.search.trials} trials ended, {len(trials) - num_ended} under way."]
    known = [trial for trial in trials if math.isfinite(trial["val_error"] or math.nan)]
    if known:
        best = min(known, key=lambda trial: (trial["val_error"], -trial["epoch"]))
        what = f"{best['source']}, freeze depth {best['freeze_depth']}, learning rate {best['lr']:.2g}"
        error = f"validation error {100 * best['val_error']:.1f} % after {best['epoch']} of {best['epochs']} epochs"
        lines.append(f"Best trial so far: {what}: {error}.")
    return lines


def _kept(folder: Folder) -> list[dict[str, Any]]:
    rows = folder.read_table(TRIALS).to_pylist()
    full = max((row["epochs"] for row in rows), default=0)
    return [{**row, "epoch": row["epochs"], "epochs": full, "is_over": True} for row in rows]


def _begun(folder: Folder) -> list[dict[str, Any]]:
    """Return the last results that Tune has written down, a trial each."""
    places = [found / name for found in (folder / SEARCH, folder / SCRATCH_SEARCH) for name in found.names()]
    found = [last for place in places if place.exists(_RESULTS) and (last := _last(place.read_bytes(_RESULTS)))]
    return [
        {
            **row["config"],
            "freeze_depth": row["config"].get("freeze_depth", 0),
            "is_over": bool(row.get("done")),
            "val_error": row.get("val_error"),
            "epoch": row.get("epoch", 0),
            "epochs": row.get("epochs", 0),
        }
        for row in found
    ]


def _last(content: bytes) -> dict[str, Any] | None:
    """Return the last whole line of a file of results: Tune may have been writing to it."""
    for line in reversed(content.splitlines()):
        try:
            return dict(json.loads(line))
        except ValueError:
            continue
    return None


def _num_refits(folder: Folder) -> int:
    return sum((folder / REFIT / name).exists(MARKER) for name in (folder / REFIT).names())


def _model(folder: Folder) -> str:
    if not (folder / MODEL).exists(MARKER):
        return "Model: none yet."
    info = read_info(folder / MODEL)
    error = f"validation error {100 * (info.errors.validation or 0):.1f} %"
    return f"Model so far: {info.provenance.get('what', 'a refit')}: {error}; {(folder / MODEL).uri}"
