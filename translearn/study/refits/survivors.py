"""Candidates all of whose refits came to their end: what diverges with one of the seeds is no candidate any more."""

from __future__ import annotations

from dataclasses import replace

from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.errors import TranslearnError
from translearn.evaluation.predictions import PROBE, SCRATCH, TRANSFER
from translearn.storage.folder import Folder
from translearn.study.models import failure
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.refit import REFIT, run_name

_REMEDY = "Start a study with a lower range of search.lr, with train.clip_norm, or with more refit.candidates."


def pairs(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates that are left; those of scratch and of transfer each have one to be compared with.

    Where none has, all with transfer are left; where none of these is, all from scratch. A linear probe stands for
    transfer where no other is left.

    Raises:
        TranslearnError: Every candidate diverged.
    """
    left = survivors(spec, folder, candidates)
    if not left:
        raise TranslearnError(f"refit: every candidate diverged. {_REMEDY}")
    if not any(TRANSFER in one.roles for one in left):
        left = [replace(one, roles=(TRANSFER, *one.roles)) if PROBE in one.roles else one for one in left]
    transfer, scratch = ({one.trial["arch"] for one in left if role in one.roles} for role in (TRANSFER, SCRATCH))
    archs = transfer & scratch or transfer or scratch
    return [one for one in left if one.trial["arch"] in archs]


def survivors(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates of which no refit diverged; print why the others are left out."""
    reasons = left_out(spec, folder, candidates)
    for name, lines in reasons.items():
        say(f"{name} is left out: {'; '.join(lines)}")
    return [one for one in candidates if one.name not in reasons]


def left_out(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> dict[str, list[str]]:
    """Return why candidates are left out, by name: a line for each refit that diverged."""
    reasons = {one.name: _failures(spec, folder, one) for one in candidates}
    return {name: lines for name, lines in reasons.items() if lines}


def _failures(spec: StudySpec, folder: Folder, candidate: Candidate) -> list[str]:
    runs = [run_name(candidate, index) for index in range(spec.refit.seeds)]
    return [f"refit {run}: {reason}" for run in runs if (reason := failure(folder / REFIT / run))]
