"""Refits, pre-training and single fine-tunes by Ray Train: groups of workers side by side, each a ``TorchTrainer``.

A trainer costs 15 to 30 s to start, so each does several jobs, one after the other, as long as there are any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
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
from translearn.cluster.training.interrupted import Interrupted
from translearn.cluster.training.job_queue import JobQueue
from translearn.cluster.training.layout import Layout, again, lay_out
from translearn.cluster.training.step_time import step_seconds
from translearn.cluster.training.worker import Job, Orders, has_ended
from translearn.errors import WorkersLostError, fault
from translearn.storage.folder import Folder


def train_jobs(
    jobs: list[Job],
    out: Folder,
    resources: Resources,
    checkpoint_interval_s: float = 0.0,
    on_epoch: Sequence[Callable[[dict[str, Any]], None]] = (),
    spare_cpus: bool = False,
) -> None:
    """Does jobs on groups of workers side by side (``layout``); each leaves a model directory in ``out``.

    A job that diverges leaves ``failed.json`` there instead. Jobs that have ended are not done again. A worker that
    dies is replaced, and its group goes on from the last epoch that was checkpointed; an elastic group (``Resources``)
    goes on without it where it has no place, and with more workers where there are new places. Where a group fails,
    the others do what is left to do, but for its job.

    Args:
        jobs: What to do; their names are unique in ``out``.
        out: Where the models go.
        resources: What the cluster has; the layout follows from it.
        checkpoint_interval_s: See ``ClusterSpec``.
        on_epoch: Are called, in a thread of this process, with the figures of each epoch.
        spare_cpus: Half of the workers' CPUs are left to the tasks that read ahead for them, which without any would
            never begin. The workers' threads stay as many.

    Raises:
        WorkersLostError: A group lost workers too often, or did not start. The same command goes on.
    """
    todo = tuple(job for job in jobs if not has_ended(out / job.run))
    if not todo:
        return
    state = Interrupted(out / ".ray")
    layout = _layout(jobs, state, resources)
    layout = replace(layout, at_once=min(layout.at_once, len(todo)))
    kept = state.checkpoints()
    todo = tuple(sorted(todo, key=lambda job: job.run not in kept))
    say(f"training {len(todo)} run(s): {layout}")
    storage = state.new_attempt()
    with _progress(out, (group.Size(layout).take, *on_epoch)) as progress, _handing_out(len(todo)) as queue:
        every = Orders(todo, layout.cpus, checkpoint_interval_s, out, progress, queue, kept=kept)
        trainers = [
            _trainer(replace(every, group=number), storage, layout, spare_cpus) for number in range(layout.at_once)
        ]
        with _failures_told(out), group.starts(layout):
            _fit(trainers)
    state.remove()
    out.sweep()  # a worker that was killed and replaced may have left a part of a file


def _layout(jobs: list[Job], state: Interrupted, resources: Resources) -> Layout:
    """That of an interrupted command, whose bits it goes on with; else a new one."""
    shape = state.shape()
    layout = again(resources, len(jobs), shape) if shape else None
    layout = layout or lay_out(resources, len(jobs), lambda: step_seconds(jobs[0], resources))
    state.keep_shape(layout.shape)
    return layout


def _trainer(orders: Orders, storage: Folder, layout: Layout, spare_cpus: bool) -> TorchTrainer:
    return TorchTrainer(
        train_loop,
        train_loop_config={"orders": (ray.put(orders),)},
        torch_config=TorchConfig(backend="nccl" if layout.gpus else "gloo"),
        scaling_config=group.layout_scaling(layout, spare_cpus),
        run_config=ray.train.RunConfig(
            name=f"group-{orders.group}",
            storage_path=storage.path,
            storage_filesystem=storage.fs,
            failure_config=group.failures(layout),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )


@contextmanager
def _failures_told(out: Folder) -> Iterator[None]:
    """Ray Train's failures as ours: the last line of the first one is the cause, those above it are its traceback."""
    try:
        yield
    except TrainingFailedError as error:
        remedy = "Run the same command again: it goes on from the last checkpoint."
        rule = f"must end within {group.MAX_FAILURES} new starts"
        raise WorkersLostError(fault(f"training in {out.uri}", rule, _cause(error), remedy)) from error


def _cause(error: BaseException) -> str:
    failures = list(getattr(error, "worker_failures", {}).values())
    lines = str(failures[0] if failures else error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _fit(trainers: Sequence[TorchTrainer]) -> None:
    """Trains until all have ended, and raises the first one's failure.

    Each is in a thread: in the main one Ray Train takes Ctrl-C for itself, also for what comes afterwards.
    """
    ended: list[Future[object]] = [Future() for _ in trainers]

    def fit(trainer: TorchTrainer, future: Future[object]) -> None:
        try:
            future.set_result(trainer.fit())
        except BaseException as error:  # raised again below, in the caller's thread
            future.set_exception(error)
            if len(trainers) > 1:
                say(f"warning: a group of workers failed, the others go on: {_cause(error)}")

    for trainer, future in zip(trainers, ended, strict=True):
        threading.Thread(target=fit, args=(trainer, future), daemon=True).start()
    for error in [future.exception() for future in ended]:
        if error:
            raise error


def _here() -> dict[str, Any]:
    """Options of an actor on this node: with another one it would be lost, and the workers left could not go on."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return {"num_cpus": 0, "scheduling_strategy": here}


@contextmanager
def _handing_out(num_jobs: int) -> Iterator[Any]:
    """The handle of a queue of jobs, as long as the block runs."""
    queue = ray.remote(**_here())(JobQueue).remote(num_jobs)
    try:
        yield queue
    finally:
        ray.kill(queue)


@contextmanager
def _progress(out: Folder, on_epoch: Sequence[Callable[[dict[str, Any]], None]]) -> Iterator[Queue]:
    """A queue whose rows go to TensorBoard and to ``on_epoch``, as long as the block runs."""
    queue, done = Queue(actor_options=_here()), threading.Event()
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
