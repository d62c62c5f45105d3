"""The end of a study: whether it has come to it, and what it then tells. Free of torch and Ray."""

from __future__ import annotations

from typing import Any

from translearn.config import StudySpec, TrackersSpec
from translearn.errors import InputError, SpecError, fault, raise_faults
from translearn.models.model_info import MARKER
from translearn.storage.file_systems import HASTY
from translearn.storage.folder import Folder
from translearn.study.directory import EVALUATION, MODEL, REPORT, changes


def ended(spec: StudySpec) -> dict[str, Any] | None:
    """Return what a study that is done tells at its end; None where something is left to do.

    Where it has trackers, the result may still be to be sent to them.

    Raises:
        SpecError: Its directory holds a study with another spec; names each changed field.
    """
    folder = Folder.open(spec.storage, HASTY) / spec.name
    needed = (REPORT, EVALUATION, f"{MODEL}/{MARKER}")
    if spec.cluster.trackers != TrackersSpec() or not all(folder.exists(name) for name in needed):
        return None
    raise_faults(changes(folder, spec), SpecError)
    return {**closing(folder.read_json(EVALUATION)), "model": folder.address(MODEL), "report": folder.address(REPORT)}


def check_evaluated(folder: Folder) -> None:
    """Raise InputError where a study has no figures yet."""
    if not folder.exists(EVALUATION):
        rule = f"must hold {EVALUATION}"
        raise InputError(fault(folder.uri, rule, "none", "Run `translearn run` or `translearn evaluate` first."))


def closing(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of ``evaluation.json`` that a study ends with."""
    target, figures = evaluation["target"], ("gain", "low", "high", "family_low", "family_high", "verdict")
    transfer, longer, over_probe = (evaluation[name] for name in ("transfer", "gain_at_convergence", "over_probe"))
    return {
        "verdict": evaluation["verdict"]["verdict"],
        "winner": evaluation["winner"],
        "target_error": {name: target[name] for name in ("error", "low", "high")},
        "transfer_gain": {name: transfer[name] for name in figures} if transfer else None,
        "gain_at_convergence": {name: longer[name] for name in (*figures, "times_the_steps")} if longer else None,
        "gain_over_probe": {name: over_probe[name] for name in figures} if over_probe else None,
    }
