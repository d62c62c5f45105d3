"""The search: Ray Tune over source, freeze depth and learning rate, by target validation error."""

from __future__ import annotations

import functools
import math
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import ray
import torch
from ray import tune
from ray.train.torch import TorchConfig, TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from translearn.arithmetic import prepare_process
from translearn.cluster.entry import train_loop
from translearn.cluster.resources import Resources
from translearn.cluster.shared import Shared, Task, fetch, share
from translearn.cluster.train import scaling
from translearn.cluster.worker import (
    CheckpointClock,
    Job,
    Orders,
    diverged,
    facts,
    figures,
    load_state,
    save_state,
)
from translearn.errors import NonFiniteLossError
from translearn.fine_tune import Recipe, fine_tune
from translearn.seeds import derive_seed
from translearn.sources import initial_network
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.team import Team

_MAX_FAILURES = 3
#: What a trial that only looks after its workers takes; Tune allows no 0.
_OWN_CPUS = 0.01
#: What each of its workers asks for less, so that ten such trials still fit beside the workers of a node.
_SPARED_CPUS = 0.1


@dataclass(frozen=True)
class Outcome:
    """What became of a trial: its configuration, its last report, its failure, and all its reports."""

    config: dict[str, Any]
    metrics: dict[str, Any]
    error: str | None
    curve: list[dict[str, Any]]


def recipe(spec: StudySpec, freeze_depth: int, lr: float, epochs: int, seed: int) -> Recipe:
    """A recipe with the study's training settings."""
    return Recipe(freeze_depth=freeze_depth, lr=lr, epochs=epochs, seed=seed, train=spec.train)


def run_search(
    spec: StudySpec, task: Task, folder: Folder, resources: Resources, callbacks: list[tune.Callback]
) -> list[Outcome]:
    """Makes the study's trials, or goes on with them where an interrupted search left off.

    Args:
        spec: The study.
        task: Target data and the sources, scratch among them.
        folder: The study's directory; Ray Tune's files go into ``tune`` below it.
        resources: The layout.
        callbacks: Are told of results in this process; must survive pickling.

    Returns:
        What became of each trial, in the order in which they started.
    """
    single = resources.workers_per_trial == 1
    own = {"cpu": resources.cpus, "gpu": resources.gpus} if single else {"cpu": _OWN_CPUS}
    setting = {"task": share(task), "spec": spec, "resources": resources}
    nested = functools.partial(tune.with_parameters, _nested_trial, folder=folder)
    body = tune.with_parameters(_trial, **setting) if single else nested(**setting)
    trainable = tune.with_resources(body, own)
    path = folder.file("tune")
    if tune.Tuner.can_restore(path, storage_filesystem=folder.fs):
        tuner = tune.Tuner.restore(path, trainable, resume_errored=True, storage_filesystem=folder.fs)
        return _outcomes(tuner.fit())
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            metric="val_error",
            mode="min",
            search_alg=_searcher(spec, task),
            scheduler=_scheduler(spec),
            num_samples=spec.search.trials,
            max_concurrent_trials=resources.concurrent_trials,
            # A worker group started by a trial does not survive the reuse of its actor.
            reuse_actors=single,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=folder.path,
            storage_filesystem=folder.fs,
            callbacks=callbacks,
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=_MAX_FAILURES),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        ),
    )
    return _outcomes(tuner.fit())


def _started(result: tune.Result) -> float:
    metrics = result.metrics or {}
    return float(metrics.get("timestamp", math.inf)) - float(metrics.get("time_total_s", 0))


def _name(trial: Any) -> str:
    config = trial.config
    return f"{config['source']}-d{config['freeze_depth']}-lr{config['lr']:.1e}-{trial.trial_id}"


def _outcomes(results: tune.ResultGrid) -> list[Outcome]:
    started = sorted(results, key=_started)
    return [
        Outcome(
            config=result.config or {},
            metrics=result.metrics or {},
            error=str(result.error) if result.error else None,
            curve=[] if result.metrics_dataframe is None else result.metrics_dataframe.to_dict("records"),
        )
        for result in started
    ]


class _SparingScratch(ASHAScheduler):
    """ASHA (Li et al. 2020, arXiv 1810.05934) that never stops the baseline: its gain is measured against it."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict) -> str:
        keeps_on = trial.config["is_scratch"]
        return str(TrialScheduler.CONTINUE if keeps_on else super().on_trial_result(tune_controller, trial, result))


def _scheduler(spec: StudySpec) -> TrialScheduler:
    search = spec.search
    if search.early_stopping == "none" or search.epochs <= search.grace_epochs:
        return FIFOScheduler()
    return _SparingScratch(
        time_attr="epoch",
        max_t=search.epochs,
        grace_period=search.grace_epochs,
        reduction_factor=search.reduction_factor,
    )


def _searcher(spec: StudySpec, task: Task) -> OptunaSearch:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    seed = derive_seed(spec.seed, "search") % 2**31
    samplers = {
        "random": optuna.samplers.RandomSampler(seed=seed),
        "optuna": optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    }
    return OptunaSearch(
        _space(spec, task),
        metric="val_error",
        mode="min",
        sampler=samplers[spec.search.algorithm],
        points_to_evaluate=first_points(spec, task)[: spec.search.trials],
    )


@dataclass(frozen=True)
class _Space:
    """The conditional space, one draw a call; Tune pickles it with the searcher.

    Attributes:
        archs: The architecture of each source.
        scratch: The names of the sources that have no weights.
        depths: The freeze depths of each architecture.
        lr: Lowest and highest learning rate.
        epochs: Length of a trial.
    """

    archs: dict[str, str]
    scratch: frozenset[str]
    depths: dict[str, tuple[int, ...]]
    lr: tuple[float, float]
    epochs: int

    def __call__(self, trial: optuna.Trial) -> dict[str, Any]:
        source = trial.suggest_categorical("source", list(self.archs))
        trial.suggest_float("lr", *self.lr, log=True)
        # Random stages are not worth freezing.
        depth = 0 if source in self.scratch else self._depth(trial, self.archs[source])
        return {"freeze_depth": depth, "is_scratch": source in self.scratch, "epochs": self.epochs}

    def _depth(self, trial: optuna.Trial, arch: str) -> int:
        return int(trial.suggest_categorical(depth_key(arch), self.depths[arch]))


def _space(spec: StudySpec, task: Task) -> _Space:
    archs = {name: source.arch for name, source in task.sources.items()}
    scratch = frozenset(name for name, source in task.sources.items() if source.kind == "scratch")
    depths = {arch: spec.freeze_depths(arch) for arch in set(archs.values())}
    return _Space(archs, scratch, depths, spec.search.lr, spec.search.epochs)


def first_points(spec: StudySpec, task: Task) -> list[dict[str, Any]]:
    """What is tried first: the default configuration, the same for every other source, and scratch's share.

    Scratch has but a learning rate to choose. It gets as many trials as there are for each source, at least 3, at
    rates around the default one: the gain over a baseline that nobody tuned would mean nothing.
    """
    points: list[dict[str, Any]] = []
    for name, source in task.sources.items():
        depth = {} if source.kind == "scratch" else {depth_key(source.arch): min(spec.freeze_depths(source.arch))}
        points.append({"source": name, "lr": spec.default_lr, **depth})
    baselines = [name for name, source in task.sources.items() if source.kind == "scratch"]
    share = max(3, spec.search.trials // len(task.sources))
    return points + [{"source": name, "lr": lr} for lr in _rates(spec, share)[1:] for name in baselines]


def _rates(spec: StudySpec, num: int) -> list[float]:
    """At most so many learning rates of the range: the default one, three times and a third of it, and so on."""
    low, high = spec.search.lr
    exponents = sorted(range(-num, num + 1), key=lambda exponent: (abs(exponent), -exponent))
    rates = [spec.default_lr * 3.0**exponent for exponent in exponents]
    return [rate for rate in rates if low <= rate <= high][:num]


def depth_key(arch: str) -> str:
    """The searcher's name of the freeze depth of an architecture: their ranges differ."""
    return f"freeze_depth_{arch}"


def _trial(config: dict[str, Any], task: Shared, spec: StudySpec, resources: Resources) -> None:
    prepare_process(resources.cpus)
    shared = fetch(task)
    settings = recipe(spec, config["freeze_depth"], config["lr"], spec.search.epochs, spec.seed)
    network, _ = initial_network(shared.sources[config["source"]], shared.num_classes, spec.seed)
    team = Team(device=torch.device("cuda" if resources.gpus else "cpu"))
    saved = load_state(tune.get_checkpoint())
    clock = CheckpointClock(spec.cluster.checkpoint_interval_s)
    recorded = facts(settings, resources.cpus, team.device)
    try:
        for result in fine_tune(network, shared.train, shared.val, settings, team, saved and saved["state"]):
            metrics = {**figures(result), **recorded}
            if not clock.due(is_last=result.epoch == spec.search.epochs):
                tune.report(metrics)
                continue
            with tempfile.TemporaryDirectory() as local:
                save_state(Path(local), {"state": result.state()})
                tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(local))
    except NonFiniteLossError as error:
        tune.report({**diverged("trial", settings, error), **recorded})


def _nested_trial(config: dict[str, Any], task: Shared, spec: StudySpec, resources: Resources, folder: Folder) -> None:
    settings = recipe(spec, config["freeze_depth"], config["lr"], spec.search.epochs, spec.seed)
    job = Job(run="trial", task=task, source=config["source"], recipe=settings)
    orders = Orders((job,), resources.cpus, spec.cluster.checkpoint_interval_s)
    trainer = TorchTrainer(
        train_loop,
        train_loop_config={"orders": (ray.put(orders),)},
        torch_config=TorchConfig(backend="nccl" if resources.gpus else "gloo"),
        scaling_config=scaling(resources.workers_per_trial, resources.cpus - _SPARED_CPUS, resources.gpus),
        run_config=ray.train.RunConfig(
            name=tune.get_context().get_trial_id(),
            storage_path=(folder / "tune" / "workers").path,
            storage_filesystem=folder.fs,
            callbacks=[TuneReportCallback()],
            failure_config=ray.train.FailureConfig(max_failures=_MAX_FAILURES, controller_failure_limit=_MAX_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    trainer.fit()
