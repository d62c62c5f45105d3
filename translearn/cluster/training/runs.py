"""Refits, pre-training and single fine-tunes by Ray Train: groups of workers side by side, each a ``TorchTrainer``.

A trainer costs 15 to 30 s to start, so each does jobs, one after the other, as long as there are any.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import ray
import ray.train
from ray.train import TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer
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
from translearn.storage.atomic import atomic
from translearn.storage.folder import Folder
from translearn.words import plural

_LOOK_EVERY_S = 0.3

Follower = Callable[[dict[str, Any]], None]


class WorkerGroups:
    """Groups of workers that do jobs as they come (``worker_groups``). They start when the first job comes."""

    def __init__(self, out: Folder, resources: Resources, checkpoint_interval_s: float, spare_cpus: bool) -> None:
        self._out, self._resources = out, resources
        self._interval_s, self._spare_cpus = checkpoint_interval_s, spare_cpus
        self._state, self._stack = Interrupted(out / ".ray"), ExitStack()
        self._ended: list[Future[object]] = []

    def train(self, jobs: Sequence[Job], on_epoch: Sequence[Follower] = ()) -> None:
        """Do jobs; each leaves a model directory in ``out``, or ``failed.json`` where it diverged.

        Jobs that have ended are not done again.

        Args:
            jobs: What to do; their names are unique in ``out``.
            on_epoch: Are called with the figures of each epoch.

        Raises:
            WorkersLostError: A group lost workers too often, or did not start. The same command goes on.
        """
        todo = [job for job in jobs if not has_ended(self._out / job.run)]
        if not todo:
            return
        if not self._ended:
            self._start(jobs, len(todo))
        first = sorted(todo, key=lambda job: job.run not in self._kept)
        self._queue.add.remote([(job.run, (ray.put(job),)) for job in first])
        with _failures_told(self._out):
            self._follow((self._size.take, self._events.add, *on_epoch))

    def close(self) -> None:
        """Wait for the ends of the groups; nothing is left of their state."""
        if self._ended:
            self._queue.close.remote()
            with _failures_told(self._out):
                _raise_first(self._ended)
            self._state.remove()
            self._out.sweep()  # a worker that was killed and replaced may have left a part of a file

    def stop(self) -> None:
        """Free what the groups hold."""
        self._stack.close()

    def _start(self, jobs: Sequence[Job], num: int) -> None:
        layout = _layout(jobs, self._state, self._resources)
        self._kept = self._state.checkpoints()
        layout = replace(layout, at_once=min(layout.at_once, num))
        say(f"training {plural(num, 'run')}: {layout}")
        self._queue, self._events, self._size = _queue(), EventFiles(self._out / "tensorboard"), group.Size(layout)
        self._stack.callback(ray.kill, self._queue)
        self._stack.callback(self._events.close)
        self._stack.enter_context(group.starts(layout))
        orders = Orders(layout.cpus, self._interval_s, self._out, queue=self._queue, kept=self._kept)
        storage = self._state.new_attempt()
        for number in range(layout.at_once):
            trainer = _trainer(replace(orders, group=number), storage, layout, self._spare_cpus)
            self._ended.append(self._fit(trainer, number))

    def _fit(self, trainer: TorchTrainer, number: int) -> Future[object]:
        def failed(error: BaseException) -> None:
            if len(self._ended) > 1:
                say(f"warning: a group of workers failed, the others go on: {_cause(error)}")
            self._queue.give_up.remote(number)

        return in_thread(trainer.fit, failed)

    def _follow(self, followers: Sequence[Follower]) -> None:
        """Pass rows on until all jobs have ended; a group's failure is raised when the others have done the rest."""
        while True:
            are_over = all(future.done() for future in self._ended)
            rows, num_left = ray.get(self._queue.look.remote())
            for row in rows:
                for follow in followers:
                    follow(row)
            if are_over or not num_left:
                break
            time.sleep(_LOOK_EVERY_S)
        _raise_first([future for future in self._ended if future.done()])


@contextmanager
def worker_groups(
    out: Folder, resources: Resources, checkpoint_interval_s: float = 0.0, spare_cpus: bool = False
) -> Iterator[WorkerGroups]:
    """Yield groups of workers side by side (``layout``), for as long as the block runs.

    A worker that dies is replaced, and its group goes on from the last epoch that was checkpointed; an elastic group
    (``Resources``) goes on without it where it has no place, and with more workers where there are new places. Where
    a group fails, the others do what is left to do, but for its job.

    Args:
        out: Where the models go.
        resources: What the cluster has; the layout follows from it and from the first jobs.
        checkpoint_interval_s: See ``ClusterSpec``.
        spare_cpus: Half of the workers' CPUs are left to the tasks that read ahead for them, which without any would
            never begin. The workers' threads stay as many.
    """
    groups = WorkerGroups(out, resources, checkpoint_interval_s, spare_cpus)
    try:
        yield groups
        groups.close()
    finally:
        groups.stop()


def train_jobs(
    jobs: Sequence[Job],
    out: Folder,
    resources: Resources,
    checkpoint_interval_s: float = 0.0,
    on_epoch: Sequence[Follower] = (),
    spare_cpus: bool = False,
) -> None:
    """Do jobs on groups of their own: ``worker_groups``, and its ``train``."""
    with worker_groups(out, resources, checkpoint_interval_s, spare_cpus) as groups:
        groups.train(jobs, on_epoch)


def _layout(jobs: Sequence[Job], state: Interrupted, resources: Resources) -> Layout:
    """Return the layout of an interrupted command, so that bits stay equal; else a new one."""
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
            storage_filesystem=atomic(storage.fs),
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


def in_thread(fit: Callable[[], object], failed: Callable[[BaseException], None]) -> Future[object]:
    """Call ``fit`` in a thread: in the main one Ray Train takes Ctrl-C for itself, also for what comes afterwards.

    ``failed`` is called with its failure, as soon as the future holds it.
    """
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(fit())
        except BaseException as error:  # raised again in the caller's thread
            future.set_exception(error)
            failed(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _raise_first(ended: Sequence[Future[object]]) -> None:
    for error in [future.exception() for future in ended]:
        if error:
            raise error


def _queue() -> Any:
    """Start a queue on this node: on another node it could be lost, and the other workers could not go on."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(JobQueue).remote()
