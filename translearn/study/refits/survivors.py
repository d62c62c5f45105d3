"""Candidates all of whose refits came to their end: what diverges with one of the seeds is no candidate any more."""

from __future__ import annotations

from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.errors import TranslearnError
from translearn.evaluation.predictions import SCRATCH, TRANSFER
from translearn.storage.folder import Folder
from translearn.study.models import failure
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.refit import REFIT, run_name

_REMEDY = "Start a study with a lower range of search.lr, with train.clip_norm, or with more refit.candidates."


def pairs(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> list[Candidate]:
    """What is left of a study's candidates; those of scratch and of transfer each have one to be compared with.

    Raises:
        TranslearnError: No pair of transfer and scratch is left.
    """
    left = survivors(spec, folder, candidates)
    archs = [{one.trial["arch"] for one in left if role in one.roles} for role in (TRANSFER, SCRATCH)]
    left = [one for one in left if one.trial["arch"] in archs[0] & archs[1]]
    if not left:
        raise TranslearnError(f"refit: none of transfer and scratch is left to compare. {_REMEDY}")
    return left


def survivors(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> list[Candidate]:
    """The candidates of which no refit diverged; of the others it is said why they are left out."""
    reasons = {one.name: _failures(spec, folder, one) for one in candidates}
    for name, lines in reasons.items():
        if lines:
            say(f"{name} is left out: {'; '.join(lines)}")
    return [one for one in candidates if not reasons[one.name]]


def _failures(spec: StudySpec, folder: Folder, candidate: Candidate) -> list[str]:
    runs = [run_name(candidate, index) for index in range(spec.refit.seeds)]
    return [f"refit {run}: {reason}" for run in runs if (reason := failure(folder / REFIT / run))]
