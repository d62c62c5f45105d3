"""Rendering of a study's record as a page."""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml

from translearn.report.record import StudyRecord
from translearn.report.templates import render_template

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
    return {
        "sources": study.sources.to_pylist(),
        "trials": finished[:_MAX_TRIALS],
        "statuses": {s: sum(t["status"] == s for t in trials) for s in ("done", "stopped", "failed")},
        "failures": [t for t in trials if t["status"] == "failed"][:_MAX_FAILURES],
        "comparisons": [gain for gain in (study.evaluation["transfer"], study.evaluation["over_probe"]) if gain],
        "mistakes": [_mistake(row) for row in study.mistakes.to_pylist()],
        "datasets": [_dataset(name, manifest) for name, manifest in study.datasets.items()],
        "provenance": provenance,
        "command": study.provenance.get("command"),
        "spec_yaml": yaml.safe_dump(json.loads(json.dumps(study.spec)), sort_keys=False, allow_unicode=True),
        "max_classes": _MAX_CLASSES,
    }


def _mistake(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": base64.b64encode(row["image"]).decode()}


def _dataset(name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    counts = manifest["counts"]
    per_class = [(c, [counts[split].get(c, 0) for split in counts]) for c in manifest["classes"]]
    totals = {split: sum(of_class.values()) for split, of_class in counts.items()}
    return {**manifest, "name": name, "totals": totals, "per_class": per_class[:_MAX_CLASSES]}


def _flat(nest: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as (dotted key, text), in order."""
    rows: list[tuple[str, str]] = []
    for key, value in nest.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return rows
