"""The refit step: the best transfer and the best scratch configuration, trained again with several seeds."""

from __future__ import annotations

from typing import Any

from translearn.cluster.console import board, say
from translearn.cluster.resources import Resources
from translearn.cluster.shared import Shared, Task, share
from translearn.cluster.train import train_jobs
from translearn.cluster.worker import CURVE, Job
from translearn.errors import TranslearnError
from translearn.recipe import Recipe
from translearn.seeds import derive_seed
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import Splits
from translearn.study.directory import CURVES
from translearn.study.models import check_trained, model_info
from translearn.study.tables import CURVE_SCHEMA, best_trial, table

REFIT = "refit"


def chosen(trials: list[dict[str, Any]], sources: dict[str, Source]) -> dict[str, dict[str, Any]]:
    """The trial to refit for each role: ``transfer`` and the ``scratch`` of the same architecture.

    Chosen by validation error; ``num_trials`` says among how many trials.

    Raises:
        TranslearnError: Every trial of one of the roles failed, or there was none.
    """
    transfer = best_trial(trials, {name for name, source in sources.items() if source.kind != "scratch"})
    same_arch = {n for n, s in sources.items() if s.kind == "scratch" and transfer and s.arch == transfer["arch"]}
    scratch = best_trial(trials, same_arch)
    if not transfer or not scratch:
        missing = "transfer" if not transfer else "scratch"
        message = f"search: no {missing} trial gave a result, so there is nothing to compare."
        raise TranslearnError(f"{message} Raise search.trials, or lower the range of search.lr.")
    names = {"transfer": {n for n, s in sources.items() if s.kind != "scratch"}, "scratch": same_arch}
    counts = {role: sum(trial["source"] in names[role] for trial in trials) for role in names}
    best = {"transfer": transfer, "scratch": scratch}
    return {role: {**best[role], "num_trials": counts[role]} for role in best}


def refit_seeds(spec: StudySpec) -> list[int]:
    """The seeds of the refits, the same for both roles, so that runs pair up; none is the search's."""
    return [derive_seed(spec.seed, "refit", index) % 2**31 for index in range(spec.refit.seeds)]


def run_name(role: str, index: int) -> str:
    """The name of a refit: its role and which of the seeds it has."""
    return f"{role}-{index}"


def refit(
    spec: StudySpec,
    folder: Folder,
    splits: Splits,
    sources: dict[str, Source],
    roles: dict[str, dict[str, Any]],
    resources: Resources,
) -> None:
    """Trains both roles with every seed under the same budget; leaves ``refit/<role>-<n>/`` model directories."""
    classes = splits.dataset.manifest.classes
    used = {trial["source"]: sources[trial["source"]] for trial in roles.values()}
    task = share(Task(splits.train, splits.val, len(classes), used))
    jobs = [
        _job(spec, splits, role, trial, index, seed, task)
        for index, seed in enumerate(refit_seeds(spec))
        for role, trial in roles.items()
    ]
    epochs = spec.refit.epochs or spec.search.epochs
    say(f"refitting: {len(jobs)} runs of {epochs} epochs on {resources.refit_workers} worker(s)")
    with board("refits", len(jobs), epochs) as shown:
        train_jobs(jobs, folder / REFIT, resources, spec.cluster.checkpoint_interval_s, shown.follow)
    for job in jobs:
        check_trained(folder / REFIT / job.run, shown.reason)
    _add_curves(folder, [job.run for job in jobs])


def _job(spec: StudySpec, splits: Splits, role: str, trial: dict[str, Any], index: int, seed: int, task: Shared) -> Job:
    manifest = splits.dataset.manifest
    provenance = {
        "role": role,
        "source": trial["source"],
        "freeze_depth": trial["freeze_depth"],
        "lr": trial["lr"],
        "weight_decay": trial["weight_decay"],
        "refit_seed": seed,
        "data_fingerprint": manifest.fingerprint,
    }
    epochs = spec.refit.epochs or spec.search.epochs
    train = spec.train.model_copy(update={"weight_decay": trial["weight_decay"]})
    recipe = Recipe(trial["freeze_depth"], trial["lr"], epochs, seed, train)
    info = model_info(trial["arch"], manifest.classes, spec, provenance)
    return Job(run_name(role, index), task, trial["source"], recipe, info)


def _add_curves(folder: Folder, runs: list[str]) -> None:
    old = [row for row in folder.read_table(CURVES).to_pylist() if row["stage"] != REFIT]
    new = [
        {**row, "stage": REFIT, "run": run}
        for run in runs
        for row in (folder / REFIT / run).read_table(CURVE).to_pylist()
    ]
    folder.write_table(CURVES, table(old + new, CURVE_SCHEMA))
