"""One run of Ray Train whose workers do orders, from its start until it ends or is ended."""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import ray
import ray.train
from ray.exceptions import RayActorError
from ray.train.torch import TorchConfig, TorchTrainer

from translearn.cluster.mailbox import Mailbox, Message, train_loop
from translearn.cluster.resources import Resources
from translearn.cluster.training.group import scaling
from translearn.cluster.warm_worker import Handle, Start
from translearn.errors import WorkersLostError, fault
from translearn.storage.folder import Folder

#: What a worker of a trial asks for less than its CPUs, so that ten trials that only look after their workers, at 0.01
#: CPU each, still fit beside them on a node.
SPARED_CPUS = 0.1
#: How often Ray Train may try to start the workers; an attempt ends after a minute without the CPUs.
_MAX_STARTS = 3
#: How often it is looked whether the workers live, while they say nothing.
_LOOK_S = 0.2
#: How long the others may take to get through too, once a worker failed. Where one is dead it is noticed earlier.
_GRACE_S = 60.0


class WarmRun:
    """Workers that have started, or are about to; a run that has ended is not started again.

    Args:
        handle: See ``WarmGroup``.
        name: The run's name in ``out``.
        resources: The layout; the trial's part of it is used.
        out: Where Ray Train keeps its state.
    """

    def __init__(self, handle: Handle, name: str, resources: Resources, out: Folder) -> None:
        self._name, self._num_workers = name, resources.workers_per_trial
        self._mailbox = ray.remote(num_cpus=0)(Mailbox).remote(self._num_workers)
        self._is_busy, self._ended = False, Future[object]()
        start = (ray.put(Start(handle, self._mailbox, resources.cpus)),)
        # In the main thread Ray Train takes Ctrl-C for itself.
        threading.Thread(target=self._fit, args=(_trainer(start, name, resources, out),), daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether there are no workers any more, and no resources are taken."""
        return self._ended.done()

    def rows(self, order: Any) -> Iterator[Any]:
        """Has an order done; yields the first worker's rows.

        What keeps an order from its end ends the run, also where the caller gives the iterator up. An error that
        every worker met does not: they wait for the next order.

        Raises:
            WorkersLostError: The run has ended.
            Exception: What the handle raised, on the worker of the lowest rank, its traceback as a note.
        """
        through: dict[int, Message] = {}
        self._is_busy = True
        try:
            self._mailbox.post.remote((ray.put(order),))
            while len(through) < self._num_workers and (message := self._next(through)):
                if message.is_last:
                    through[message.rank] = message
                else:
                    yield pickle.loads(message.body)
        finally:
            self._is_busy = len(through) < self._num_workers
            if self._is_busy:
                self.end()
        if errors := _errors(through):
            raise pickle.loads(errors[0])

    def end(self) -> None:
        """Ends the workers, in the middle of their order if they have one, and waits until they have ended."""
        if self._is_busy:
            ray.kill(self._mailbox)  # they end with it
        self._mailbox.post.remote(None)
        concurrent.futures.wait([self._ended])
        ray.kill(self._mailbox)

    def _fit(self, trainer: TorchTrainer) -> None:
        try:
            self._ended.set_result(trainer.fit())
        except BaseException as error:  # told in the caller's thread
            self._ended.set_exception(error)

    def _next(self, through: dict[int, Message]) -> Message | None:
        """The next message; None where a worker failed and the others say nothing: they wait for it, for ever."""
        last_s = time.monotonic() + _GRACE_S
        heard = self._mailbox.hear.remote()
        while not ray.wait([heard], timeout=_LOOK_S)[0]:
            if self._ended.done():
                raise WorkersLostError(self._loss()) from self._ended.exception()
            if _errors(through) and time.monotonic() > last_s:
                return None
        try:
            return ray.get(heard)  # type: ignore[no-any-return]
        except RayActorError as error:
            raise WorkersLostError(f"workers of {self._name}: their mailbox died ({error}).") from error

    def _loss(self) -> str:
        cause = str(self._ended.exception()).strip()
        return fault(
            f"workers of {self._name}",
            "must live until their order is done",
            cause,
            "Where this names no cause, memory often ran out: lower train.batch_size or cluster.workers_per_trial.",
        )


def _errors(through: dict[int, Message]) -> list[bytes]:
    """The pickled errors of the workers that failed, by rank."""
    return [message.body for _, message in sorted(through.items()) if message.body]


def _trainer(start: tuple[Any], name: str, resources: Resources, out: Folder) -> TorchTrainer:
    return TorchTrainer(
        train_loop,
        train_loop_config={"start": start},
        torch_config=TorchConfig(backend="nccl" if resources.gpus else "gloo"),
        scaling_config=scaling(resources.workers_per_trial, resources.cpus - SPARED_CPUS, resources.gpus),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=out.path,
            storage_filesystem=out.fs,
            # Workers that die end the run: Ray Train would replace them, but not give them the order again.
            failure_config=ray.train.FailureConfig(max_failures=0, controller_failure_limit=_MAX_STARTS),
        ),
    )
