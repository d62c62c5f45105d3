"""The refit step: the best trials of each role, trained again with several seeds."""

from __future__ import annotations

from translearn.cluster.data.shared import Shared, share
from translearn.cluster.tracking.console import board, say
from translearn.cluster.tracking.trackers import run_tracker
from translearn.cluster.training.runs import WorkerGroups
from translearn.cluster.training.worker import CURVE, Job
from translearn.config import StudySpec
from translearn.models.model_dir import load_model
from translearn.models.model_info import MARKER, read_info
from translearn.seeds import derive_seed
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import CURVES
from translearn.study.models import check_trained, failure, model_info
from translearn.study.refits.candidates import Candidate
from translearn.study.tables import CURVE_SCHEMA, table
from translearn.training.config import TrainConfig
from translearn.words import plural

REFIT = "refit"


def refit_seeds(spec: StudySpec) -> list[int]:
    """Return the seeds of the refits, the same for all candidates, so that runs pair up; none is the search's."""
    return [derive_seed(spec.seed, "refit", index) % 2**31 for index in range(spec.refit.seeds)]


def run_name(candidate: Candidate, index: int) -> str:
    """Return the name of a refit: its candidate and the index of its seed."""
    return f"{candidate.name}-{index}"


def refit(context: StudyContext, candidates: list[Candidate], groups: WorkerGroups) -> None:
    """Train all candidates with every seed under the same budget.

    Leaves a model directory of each in ``refit/``, or ``failed.json`` where one diverged.

    Args:
        context: The study.
        candidates: What is refitted.
        groups: Who trains, into ``refit/``.
    """
    jobs = _refit_jobs(context, candidates)
    train_refits(context, jobs, groups)
    folder = context.folder
    add_refit_curves(folder, [job.run for job in jobs if not failure(folder / REFIT / job.run)])


def refit_task(context: StudyContext, candidates: list[Candidate]) -> Shared:
    """Put the task of these candidates into the object store."""
    return share(context.task({one.trial["source"]: context.sources[one.trial["source"]] for one in candidates}))


def train_refits(context: StudyContext, jobs: list[Job], groups: WorkerGroups) -> None:
    """Train jobs, with a table on the console; those that diverge leave ``failed.json``."""
    spec, folder = context.spec, context.folder
    epochs = max(job.config.epochs for job in jobs)
    say(f"refitting: {plural(len(jobs), 'run')} of up to {plural(epochs, 'epoch')}")
    _check_kept([folder / REFIT / job.run for job in jobs])
    with board("refits", len(jobs), epochs, spec.name) as shown:
        for job in jobs:
            if not (folder / REFIT / job.run).exists(MARKER):
                shown.expect(job.run)
        followers = (shown.follow, run_tracker(spec, REFIT, jobs))
        groups.train(jobs, followers)
    for job in jobs:
        if not failure(folder / REFIT / job.run):
            check_trained(folder / REFIT / job.run)


def _check_kept(runs: list[Folder]) -> None:
    """Raise where the model of an earlier command is damaged, before others are trained beside it."""
    kept = [run for run in runs if run.exists(MARKER)]
    for run in kept if len(kept) < len(runs) else []:
        load_model(run)


def refit_errors(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> dict[str, list[float]]:
    """Return the validation errors of each candidate's refits, by its name, in the order of ``refit_seeds``."""
    return {c.name: [run_error(folder, run_name(c, n)) for n in range(spec.refit.seeds)] for c in candidates}


def run_error(folder: Folder, run: str) -> float:
    """Return the validation error of a finished refit."""
    error = read_info(folder / REFIT / run).errors.validation
    assert error is not None
    return error


def _refit_jobs(context: StudyContext, candidates: list[Candidate]) -> list[Job]:
    spec, task = context.spec, refit_task(context, candidates)
    return [
        refit_job(context, candidate, run_name(candidate, index), task, seed, candidate.times * spec.refit.epochs)
        for index, seed in enumerate(refit_seeds(spec))
        for candidate in candidates
    ]


def refit_job(context: StudyContext, candidate: Candidate, run: str, task: Shared, seed: int, epochs: int) -> Job:
    """Return the job of a candidate with a seed."""
    spec, trial = context.spec, candidate.trial
    provenance = {
        "roles": list(candidate.roles),
        "source": trial["source"],
        "freeze_depth": trial["freeze_depth"],
        "lr": trial["lr"],
        "weight_decay": trial["weight_decay"],
        "epochs": epochs,
        "refit_seed": seed,
        "data_fingerprint": context.splits.dataset.manifest.fingerprint,
    }
    train = spec.train.model_copy(update={"weight_decay": trial["weight_decay"]})
    config = TrainConfig(trial["freeze_depth"], trial["lr"], epochs, seed, train)
    return Job(run, task, trial["source"], config, model_info(trial["arch"], context.splits.dataset, spec, provenance))


def add_refit_curves(folder: Folder, runs: list[str]) -> None:
    """Add the curves of runs to ``curves.parquet``."""
    old = [row for row in folder.read_table(CURVES).to_pylist() if row["stage"] != REFIT or row["run"] not in runs]
    new = [
        {**row, "stage": REFIT, "run": run}
        for run in runs
        for row in (folder / REFIT / run).read_table(CURVE).to_pylist()
    ]
    folder.write_table(CURVES, table(old + new, CURVE_SCHEMA))
