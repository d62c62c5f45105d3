"""Runs at every freeze depth of one source: what is kept of the source task, for what target error."""

from __future__ import annotations

from dataclasses import dataclass

from translearn.config import StudySpec
from translearn.evaluation.predictions import TRANSFER
from translearn.models.backbones.stages import freeze_depths
from translearn.study.refits.candidates import Candidate, Trial
from translearn.study.refits.label_runs import best_pair
from translearn.study.refits.refit import run_name
from translearn.study.tables import ranked_trials


@dataclass(frozen=True)
class DepthRun:
    """A run of one freeze depth, with the first of the refits' seeds.

    Attributes:
        name: Of the run, in ``refit/``.
        trial: What is trained: the best trial at this depth; where the search had none, the best of all with this one.
        is_refit: Whether a refit is this run already.
    """

    name: str
    trial: Trial
    is_refit: bool


def depth_runs(spec: StudySpec, trials: list[Trial], candidates: list[Candidate]) -> list[DepthRun]:
    """Return a run for each freeze depth of the best trial's source, ascending; none unless ``refit.forgetting``.

    Args:
        spec: The study.
        trials: Rows of ``trials.parquet``.
        candidates: What ``pairs`` gave. The source is that of the best trial with transfer; no runs without one.
    """
    found = best_pair(candidates)
    if not spec.refit.forgetting or TRANSFER not in found:
        return []
    best = found[TRANSFER].trial
    own = ranked_trials([row for row in trials if row["source"] == best["source"]])
    at_depth = {row["freeze_depth"]: row for row in reversed(own)}
    refits = {c.trial["trial_id"]: run_name(c, 0) for c in candidates}
    return [
        _run(at_depth.get(depth, {**best, "freeze_depth": depth, "trial_id": ""}), refits)
        for depth in sorted(freeze_depths(spec.search, best["arch"]))
    ]


def _run(trial: Trial, refits: dict[str, str]) -> DepthRun:
    name = refits.get(trial["trial_id"])
    return DepthRun(name or f"depth-{trial['freeze_depth']}", trial, name is not None)
