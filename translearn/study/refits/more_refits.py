"""Runs of the refit step beside the candidates': on parts of the labels, and at every freeze depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from translearn.cluster.data.shared import Shared
from translearn.cluster.training.runs import WorkerGroups
from translearn.cluster.training.worker import Job
from translearn.study.context import StudyContext
from translearn.study.models import check_trained
from translearn.study.refits.candidates import Candidate, Trial
from translearn.study.refits.label_runs import label_runs
from translearn.study.refits.refit import (
    REFIT,
    add_refit_curves,
    refit_job,
    refit_seeds,
    refit_task,
    train_refits,
)


def refit_more(
    context: StudyContext, candidates: list[Candidate], groups: WorkerGroups, others: Mapping[str, Trial]
) -> None:
    """Train the runs of the label-efficiency curve, and more trials, once each; leave models in ``refit/``.

    Args:
        context: The study.
        candidates: What ``survivors`` gave; the best of them are trained on fewer labels.
        groups: Who trains, into ``refit/``.
        others: More trials, each trained with the first seed, by the names of their runs.

    Raises:
        TranslearnError: One diverged.
    """
    spec, folder, task = context.spec, context.folder, refit_task(context, candidates)
    more = [Candidate(name, (), trial) for name, trial in others.items()]
    jobs = _label_jobs(context, candidates, task)
    jobs += [refit_job(context, one, one.name, task, refit_seeds(spec)[0], spec.refit.epochs) for one in more]
    if jobs:
        train_refits(context, jobs, groups)
        for job in jobs:
            check_trained(folder / REFIT / job.run)
        add_refit_curves(folder, [job.run for job in jobs])


def _label_jobs(context: StudyContext, candidates: list[Candidate], task: Shared) -> list[Job]:
    return [
        replace(refit_job(context, run.candidate, run.name, task, run.seed, run.epochs), train_rows=run.rows)
        for run in label_runs(context.spec, context.splits.train.labels, candidates)
    ]
