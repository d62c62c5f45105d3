"""Data-parallel runs by Ray Train: refits, pre-training and single fine-tunes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty
from typing import Any

import ray
import ray.train
from ray.train import TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from translearn.cluster.resources import Resources
from translearn.cluster.tracking.console import say
from translearn.cluster.tracking.tensorboard import EventFiles
from translearn.cluster.training import group
from translearn.cluster.training.entry import train_loop
from translearn.cluster.training.worker import Job, Orders, has_ended
from translearn.errors import WorkersLostError, fault
from translearn.storage.folder import Folder

_RAY, _GROUP, _SNAPSHOT = ".ray", "group", "checkpoint_manager_snapshot.json"


def train_jobs(
    jobs: list[Job],
    out: Folder,
    resources: Resources,
    checkpoint_interval_s: float = 0.0,
    on_epoch: Sequence[Callable[[dict[str, Any]], None]] = (),
    spare_cpus: bool = False,
) -> None:
    """Does jobs one after the other on one group of workers; each leaves a model directory in ``out``.

    One that diverges leaves ``failed.json`` there instead. Jobs that have ended are not done again. A worker that
    dies is replaced, and the group goes on from the last epoch that was checkpointed; an elastic group (``Resources``)
    goes on without it where it has no place, and with more workers where there are new places.

    Args:
        jobs: What to do; their names are unique in ``out``.
        out: Where the models go.
        resources: The layout; the refit's part of it is used.
        checkpoint_interval_s: See ``spec.ClusterSpec``.
        on_epoch: Are called, in a thread of this process, with the figures of each epoch.
        spare_cpus: Half of the workers' CPUs are left to the tasks that read ahead for them, which without any would
            never begin. The workers' threads stay as many.
    """
    todo = tuple(job for job in jobs if not has_ended(out / job.run))
    if not todo:
        return
    _drop_damaged(out / _RAY)
    with _progress(out, (group.Size(resources).take, *on_epoch)) as progress:
        orders = Orders(todo, resources.refit_cpus, checkpoint_interval_s, out, progress)
        trainer = TorchTrainer(
            train_loop,
            train_loop_config={"orders": (ray.put(orders),)},
            torch_config=TorchConfig(backend="nccl" if resources.refit_gpus else "gloo"),
            scaling_config=group.refit_scaling(resources, spare_cpus),
            run_config=ray.train.RunConfig(
                name=_GROUP,  # always the same: Ray goes on from what an interrupted driver left there
                storage_path=(out / _RAY).path,
                storage_filesystem=out.fs,
                failure_config=group.failures(resources),
                checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            ),
        )
        with _failures_told(out), group.starts(resources):
            _fit(trainer)
    (out / _RAY).remove()
    out.sweep()  # a worker that was killed and replaced may have left a part of a file


def _drop_damaged(state: Folder) -> None:
    """Deletes Ray Train's state where its list of checkpoints is damaged: Ray writes it in place, and then fails."""
    group = state / _GROUP
    if not group.exists(_SNAPSHOT):
        return
    try:
        json.loads(group.read_bytes(_SNAPSHOT))
    except ValueError:
        say(f"warning: {group.address(_SNAPSHOT)} is damaged: runs without a model begin anew")
        state.remove()


@contextmanager
def _failures_told(out: Folder) -> Iterator[None]:
    """Ray Train's failures as ours: the last line of the first one is the cause, those above it are its traceback."""
    try:
        yield
    except TrainingFailedError as error:
        failures = list(getattr(error, "worker_failures", {}).values())
        cause = str(failures[0] if failures else error).strip().splitlines()[-1]
        remedy = "Run the same command again: it goes on from the last checkpoint."
        message = fault(f"training in {out.uri}", f"must end within {group.MAX_FAILURES} new starts", cause, remedy)
        raise WorkersLostError(message) from error


def _fit(trainer: TorchTrainer) -> None:
    """Trains in a thread: in the main one Ray Train takes Ctrl-C for itself, also for what comes afterwards."""
    ended: Future[object] = Future()

    def fit() -> None:
        try:
            ended.set_result(trainer.fit())
        except BaseException as error:  # raised again below, in the caller's thread
            ended.set_exception(error)

    threading.Thread(target=fit, daemon=True).start()
    ended.result()


@contextmanager
def _progress(out: Folder, on_epoch: Sequence[Callable[[dict[str, Any]], None]]) -> Iterator[Queue]:
    """A queue whose rows go to TensorBoard and to ``on_epoch``, as long as the block runs."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # On this node: it would be lost with another one, and the workers that are left could not go on.
    queue, done = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here}), threading.Event()
    events = EventFiles(out / "tensorboard")

    def take(row: dict[str, Any]) -> None:
        for follow in (events.add, *on_epoch):
            follow(row)

    drain = threading.Thread(target=_drain, args=(queue, done, take), daemon=True)
    drain.start()
    try:
        yield queue
    finally:
        done.set()
        drain.join()
        queue.shutdown()
        events.close()


def _drain(queue: Queue, done: threading.Event, take: Callable[[dict[str, Any]], None]) -> None:
    while True:
        finished = done.is_set()  # read before the queue, so that what came last is not lost
        try:
            take(queue.get(timeout=0.3))
        except Empty:
            if finished:
                return
