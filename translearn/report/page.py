"""Rendering of a study's record as a page."""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml

from translearn.data.notes import Note
from translearn.report.record import StudyRecord
from translearn.report.templates import render_template
from translearn.report.words import heading_and_lead

_GAINS = ("transfer", "gain_at_convergence", "over_probe")
_MAX_TRIALS, _MAX_FAILURES, _MAX_CLASSES = 20, 10, 200


def render(study: StudyRecord) -> str:
    """Render a self-contained HTML page; leave out sections without content.

    Args:
        study: The study's record.

    Returns:
        The page. All text from users (names of classes and sources, paths) is escaped.
    """
    from translearn.report.plots.plots import plots

    return render_template(
        "study.html.j2", plots=plots(study), study=study, evaluation=study.evaluation, **_tables(study)
    )


def _tables(study: StudyRecord) -> dict[str, Any]:
    trials = study.trials.to_pylist()
    finished = sorted((t for t in trials if t["val_error"] is not None), key=lambda t: t["val_error"])
    provenance = dict(_flat({key: value for key, value in study.provenance.items() if key != "command"}))
    heading, lead = heading_and_lead(study.evaluation["verdict"])
    return {
        "heading": heading,
        "lead": lead,
        "sources": (sources := study.sources.to_pylist()),
        "measured_units": [unit for unit in ("cpu", "gpu") if any(row[unit] for row in sources)],
        "trials": finished[:_MAX_TRIALS],
        "statuses": {s: sum(t["status"] == s for t in trials) for s in ("done", "stopped", "failed")},
        "failures": [t for t in trials if t["status"] == "failed"][:_MAX_FAILURES],
        "comparisons": [gain for key in _GAINS if (gain := study.evaluation[key])],
        "mistakes": [_mistake(row) for row in study.mistakes.to_pylist()],
        "datasets": [
            _dataset(name, manifest, study.evaluation.get("pictures") if name == "target" else None)
            for name, manifest in study.datasets.items()
        ],
        "provenance": provenance,
        "command": study.provenance.get("command"),
        "spec_yaml": yaml.safe_dump(json.loads(json.dumps(study.spec)), sort_keys=False, allow_unicode=True),
        "max_classes": _MAX_CLASSES,
    }


def _mistake(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": base64.b64encode(row["image"]).decode()}


def _dataset(name: str, manifest: dict[str, Any], pictures: dict[str, Any] | None) -> dict[str, Any]:
    """Return a manifest with its notes in words, its totals and its cells by class, a target's with pictures."""
    counts = manifest["counts"]
    of_class = {row["class"]: row for row in pictures["classes"]} if pictures else {}
    cells = [
        (c, [tuple(of_class[c][s].values()) if c in of_class else (counts[s].get(c, 0), None) for s in counts])
        for c in manifest["classes"][:_MAX_CLASSES]
    ]
    totals = {split: sum(nums.values()) for split, nums in counts.items()}
    different = {split: of["num_different"] for split, of in pictures["splits"].items()} if pictures else None
    notes = [str(Note(**note)) for note in manifest["notes"]]
    return {**manifest, "notes": notes, "name": name, "totals": totals, "per_class": cells, "different": different}


def _flat(nest: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as (dotted key, text), in order."""
    rows: list[tuple[str, str]] = []
    for key, value in nest.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return rows
