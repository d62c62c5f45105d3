"""Trials of several workers: Ray's nesting, a function trainable that runs a TorchTrainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
import ray.train
from ray import tune
from ray.train.torch import TorchConfig, TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from translearn.cluster.training import group
from translearn.cluster.training.entry import train_loop
from translearn.cluster.training.worker import Job, Orders
from translearn.cluster.tuning.results import WORKERS
from translearn.cluster.tuning.trainable import TrialContext
from translearn.storage.atomic import atomic
from translearn.storage.folder import Folder


class EpochReports(TuneReportCallback):
    """Ray's callback, but for reports inside an epoch, which carry a checkpoint and no figures."""

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        """Report an epoch of the first worker to Tune."""
        if "val_error" in metrics[0]:
            super().after_report(run_context, metrics, checkpoint)


def nested_trainable(context: TrialContext, folder: Folder) -> Callable[[dict[str, Any]], None]:
    """Return the trainable of trials of several workers; Ray Train's checkpoints lie in ``folder``."""
    reference = (ray.put((context, folder)),)

    def fine_tune_nested(config: dict[str, Any]) -> None:
        _fit(config, *ray.get(reference[0]))

    return fine_tune_nested


def _fit(config: dict[str, Any], context: TrialContext, folder: Folder) -> None:
    name, resources = str(tune.get_context().get_trial_name()), context.resources
    trial = context.space.settled(config)
    job = Job(name, context.task, trial["source"], context.train_config(trial))
    orders = Orders(resources.cpus, context.spec.cluster.checkpoint_interval_s, folder, (ray.put(job),))
    TorchTrainer(
        train_loop,
        train_loop_config={"orders": (ray.put(orders),)},
        torch_config=TorchConfig(backend="nccl" if resources.gpus else "gloo"),
        scaling_config=group.scaling(resources.workers_per_trial, resources.cpus, resources.gpus),
        run_config=ray.train.RunConfig(
            name=WORKERS,  # the same when the trial is restored: Ray Train goes on from there
            storage_path=(folder / name).path,
            storage_filesystem=atomic(folder.fs),
            callbacks=[EpochReports()],
            failure_config=ray.train.FailureConfig(max_failures=group.MAX_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    ).fit()
