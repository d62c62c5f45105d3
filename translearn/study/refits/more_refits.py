"""Runs of the refit step beside the candidates': on parts of the labels, and at every freeze depth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from translearn.cluster.data.shared import Shared
from translearn.cluster.tracking.console import say
from translearn.cluster.training.runs import WorkerGroups
from translearn.cluster.training.worker import Job
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.models import failure
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.depth_runs import DepthRun, depth_runs
from translearn.study.refits.label_runs import LabelRun, label_runs
from translearn.study.refits.refit import (
    REFIT,
    add_refit_curves,
    refit_job,
    refit_seeds,
    refit_task,
    train_refits,
)
from translearn.study.search import kept_trials


def refit_more(context: StudyContext, candidates: list[Candidate], groups: WorkerGroups) -> None:
    """Train the runs of the label-efficiency curve and of freeze depths, once each; leave models in ``refit/``.

    A run that diverges leaves ``failed.json`` and is said; what is shown of these runs is then shown without it.

    Args:
        context: The study.
        candidates: What ``pairs`` gave; the best of them are trained.
        groups: Who trains, into ``refit/``.
    """
    of_labels, of_depths = _runs(context, candidates)
    if not (of_labels or of_depths):
        return
    task = refit_task(context, candidates)
    jobs = [
        *(_label_job(context, run, task) for run in of_labels),
        *(_depth_job(context, run, task) for run in of_depths),
    ]
    train_refits(context, jobs, groups)
    failed = more_left_out(context, candidates)
    for name, (reason,) in failed.items():
        say(f"{name} is left out: {reason}")
    add_refit_curves(context.folder, [job.run for job in jobs if job.run not in failed])


def more_left_out(context: StudyContext, candidates: list[Candidate]) -> dict[str, list[str]]:
    """Return why runs of ``refit_more`` are left out, by name, as ``survivors.left_out`` does for candidates."""
    of_labels, of_depths = _runs(context, candidates)
    names = [run.name for run in of_labels] + [run.name for run in of_depths]
    return {name: [reason] for name, reason in failed_runs(context.folder, names).items()}


def failed_runs(folder: Folder, names: Iterable[str]) -> dict[str, str]:
    """Return why runs of the refit step diverged, by name, of those that did."""
    return {name: reason for name in names if (reason := failure(folder / REFIT / name))}


def _runs(context: StudyContext, candidates: list[Candidate]) -> tuple[list[LabelRun], list[DepthRun]]:
    of_depths = depth_runs(context.spec, kept_trials(context.folder), candidates)
    of_labels = label_runs(context.spec, context.splits.train.labels, candidates)
    return list(of_labels), [run for run in of_depths if not run.is_refit]


def _label_job(context: StudyContext, run: LabelRun, task: Shared) -> Job:
    job = refit_job(context, run.candidate, run.name, task, run.seed, run.epochs)
    return replace(job, train_rows=run.rows)


def _depth_job(context: StudyContext, run: DepthRun, task: Shared) -> Job:
    spec, one = context.spec, Candidate(run.name, (), run.trial)
    return refit_job(context, one, run.name, task, refit_seeds(spec)[0], spec.refit.epochs)
