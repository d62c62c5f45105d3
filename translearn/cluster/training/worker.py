"""Train worker: runs the fine-tuning loop for each job, one after the other, and reports to Ray Train.

Refits, pre-training and single fine-tunes are all this one loop. It is the only caller of ``ray.train.report``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import pyarrow as pa
import ray
import ray.train
import ray.train.torch
from ray.train.collective import broadcast_from_rank_zero

from translearn.cluster.data.shared import Shared, Task, fetch
from translearn.cluster.temporary import checkpoint_folder, sweep_checkpoint_folders
from translearn.cluster.tracking.log import LOGGED, log
from translearn.cluster.training.checkpoints import CheckpointClock, in_place, load_state, save_state
from translearn.cluster.training.job_queue import WAIT
from translearn.cluster.training.rows import diverged, facts, figures
from translearn.errors import NonFiniteError
from translearn.models.model_dir import save_model
from translearn.models.model_info import MARKER, ModelInfo, TaskErrors
from translearn.models.network import Network
from translearn.models.preprocessing import normalised_by
from translearn.models.sources import initial_network
from translearn.storage.folder import Folder
from translearn.training.config import EpochPart, EpochResult, TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.inference import loss_and_error
from translearn.training.loop import fine_tune_in_parts
from translearn.training.precision import prepare_process, resolve_precision

CURVE, FAILED = "curve.parquet", "failed.json"
_PART_STEPS = 100  # how often, inside an epoch, it is asked whether loop state is due
#: Ray Train takes a report in a tenth of a second, which is as long as a short epoch.
_REPORT_EVERY_S = 1.0
_ASK_EVERY_S = 0.2


@dataclass(frozen=True)
class Job:
    """One run: a source and what to do with it. ``run`` names it, ``info`` goes into its ``model.json``.

    ``train_rows``: the rows of the training split that are used; None for all.
    """

    run: str
    task: Shared
    source: str
    config: TrainConfig
    info: ModelInfo | None = None
    train_rows: np.ndarray | None = field(default=None, compare=False)


#: An ObjectRef of a job. Actors that pass it on need not import torch, as they would to read the job.
JobReference = tuple[Any]


@dataclass(frozen=True)
class Orders:
    """The instructions of the workers of a group.

    Attributes:
        threads: Torch threads of a worker.
        checkpoint_interval_s: See ``ClusterSpec``.
        out: Where models go, a folder a job.
        job: A reference to the only one, of a group that has no queue.
        queue: The handle of the ``JobQueue`` that hands jobs out, and takes the rows of epochs.
        group: The group's number.
        kept: By job the last checkpoint that an interrupted command left.
    """

    threads: int
    checkpoint_interval_s: float
    out: Folder
    job: JobReference | None = None
    queue: Any = None
    group: int = 0
    kept: Mapping[str, ray.train.Checkpoint] = field(default_factory=dict)


def work(orders: Orders) -> None:
    """Do the jobs that have no model yet, each from its last checkpoint on."""
    prepare_process(orders.threads)
    sweep_checkpoint_folders()
    own = _load(ray.train.get_checkpoint())
    for job in _handed_out(orders):
        resumed = own if own and own["run"] == job.run else _load(orders.kept.get(job.run))
        try:
            _do(job, fetch(job.task), orders, resumed)
        except NonFiniteError as error:  # on every worker alike: another try would end the same way
            recorded = facts(job.config, orders.threads, ray.train.torch.get_device())
            if ray.train.get_context().get_world_rank() == 0:
                (orders.out / job.run).write_json(FAILED, {"reason": str(error)})
            _tell({"run": job.run, **diverged(job.config, error), **recorded}, orders)


def _handed_out(orders: Orders) -> Iterator[Job]:
    """Yield the group's jobs, one after the other; the first worker asks for them."""
    job: Job | None = None
    while True:
        is_first = ray.train.get_context().get_world_rank() == 0
        found = broadcast_from_rank_zero(next_job(orders, job.run if job else None) if is_first else None)
        if found is None:
            return
        job = ray.get(found[0])
        yield job


def next_job(orders: Orders, ended: str | None) -> JobReference | None:
    """Return the group's next job that has not ended: workers may have been lost just after it had."""
    found = _take(orders, ended)
    while found and has_ended(orders.out / (run := ray.get(found[0]).run)):
        found = _take(orders, run)
    return found


def _take(orders: Orders, ended: str | None) -> JobReference | None:
    if orders.queue is None:
        return None if ended else orders.job
    while (found := ray.get(orders.queue.take.remote(orders.group, ended))) == WAIT:
        time.sleep(_ASK_EVERY_S)
    return cast("JobReference | None", found)


def has_ended(folder: Folder) -> bool:
    """Return whether a job has left its model in a folder, or the reason why it diverged (it would again)."""
    return folder.exists(MARKER) or folder.exists(FAILED)


def _do(job: Job, task: Task, orders: Orders, saved: dict[str, Any] | None) -> None:
    context = DistributedContext.joined(ray.train.torch.get_device(), job.config.train.sync_batchnorm)
    network, _ = initial_network(task.sources[job.source], task.num_classes, job.config.seed, task.train.image_size)
    curve: list[dict[str, float]] = list(saved["curve"]) if saved else []
    clock = CheckpointClock(orders.checkpoint_interval_s)
    state = saved["state"] if saved else None
    train = task.train if job.train_rows is None else task.train.view(job.train_rows)
    for result in fine_tune_in_parts(network, train, task.val, job.config, context, state, part_steps=_PART_STEPS):
        if isinstance(result, EpochPart):
            _keep_part(job, result, curve, clock, context, _study(orders))
            continue
        curve.append(figures(result))
        is_last = result.epoch == job.config.epochs
        if is_last:
            _keep(job, network, curve, orders.out, _errors(network, task, job, context, result))
        saved_state = {"run": job.run, "curve": curve, "state": result.state} if clock.due(is_last) else None
        recorded = facts(job.config, orders.threads, context.device)
        row = {"run": job.run, "epochs": job.config.epochs, "workers": context.num_workers, **curve[-1], **recorded}
        _tell(row, orders, saved_state)


def _keep_part(
    job: Job,
    part: EpochPart,
    curve: list[dict[str, float]],
    clock: CheckpointClock,
    context: DistributedContext,
    study: str,
) -> None:
    """Loop state inside an epoch, where the first worker finds it due: a report waits for all workers."""
    if not context.broadcast(lambda: clock.due(False)):
        return
    row = {"run": job.run, "epoch": part.epoch, "step": part.step}
    _report(row, {"run": job.run, "curve": curve, "state": part.state} if context.worker_rank == 0 else None)
    log("part", study, job.run, context.worker_rank, epoch=part.epoch, step=part.step)


def _errors(network: Network, task: Task, job: Job, context: DistributedContext, last: EpochResult) -> TaskErrors:
    if task.test is None:
        return TaskErrors(validation=last.val_error)
    precision = resolve_precision(job.config.train.precision, context.device)
    _, test_error = loss_and_error(network, task.test, precision, context)
    return TaskErrors(validation=last.val_error, test=test_error)


def _keep(job: Job, network: Network, curve: list[dict[str, float]], out: Folder, errors: TaskErrors) -> None:
    if ray.train.get_context().get_world_rank() > 0 or job.info is None:
        return
    folder = out / job.run
    folder.write_table(CURVE, pa.Table.from_pylist(curve))
    precision = resolve_precision(job.config.train.precision, network.head.weight.device)
    preprocessing = normalised_by(job.info.preprocessing, network.normalisation)
    update = {"errors": errors, "precision": precision, "preprocessing": preprocessing}
    info = job.info.model_copy(update=update)
    save_model(folder, network.state_dict(), info)


_reports = CheckpointClock(_REPORT_EVERY_S)


def _tell(row: dict[str, Any], orders: Orders, saved: dict[str, Any] | None = None) -> None:
    """Report an epoch to Ray Train, from every worker, with loop state from the first where it is due.

    A worker alone leaves out reports of short epochs; the driver has them all from the queue.
    """
    is_first = ray.train.get_context().get_world_rank() == 0
    if saved or orders.queue is None or row.get("workers", 1) > 1 or _reports.due(False):
        _report(row, saved if is_first else None)
    told = {name: row[name] for name in LOGGED if name in row}
    log("epoch", _study(orders), row["run"], ray.train.get_context().get_world_rank(), **told)
    if is_first and orders.queue is not None:
        orders.queue.tell.remote(row)  # before the next ``take``: an actor does a caller's calls in their order


def _study(orders: Orders) -> str:
    return PurePosixPath(orders.out.path).parent.name  # its directory bears its name


def _report(row: dict[str, Any], saved: dict[str, Any] | None) -> None:
    """Call ``ray.train.report``, as nothing else does: on every worker as often, with loop state from one at most."""
    if saved is None:
        ray.train.report(row)
        return
    with checkpoint_folder() as folder:
        save_state(folder, {**saved, "state": saved["state"]()})
        ray.train.report(row, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _load(checkpoint: Any) -> dict[str, Any] | None:
    if checkpoint is None:
        return None
    with in_place(checkpoint).as_directory() as folder:
        return load_state(Path(folder))
