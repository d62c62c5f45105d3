"""A warm group: workers that serve trial after trial, without a new process, and are replaced when they die."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from translearn.cluster.resources import Resources
from translearn.cluster.warm_run import WarmRun
from translearn.cluster.warm_worker import Handle
from translearn.errors import WorkersLostError
from translearn.storage.folder import Folder

_WORKERS = "workers"


class WarmGroup:
    """A group of Ray Train workers that serves one order after another, without starting anew.

    The workers start in the background, and take the CPUs and GPUs of one trial until ``close``. An order may be
    anything that Ray can pass on, references included; rows must pickle, and hold no references.

    Args:
        handle: An importable function of a module. Every worker calls it with the order and its ``Team``, and iterates
            to the end; the rows of the first worker are passed on. It must yield as often on every worker. It resumes
            from what it stored itself: after a loss it gets its order again.
        name: The group's name, unique among those of ``folder`` that live.
        resources: The layout; the trial's part of it is used.
        folder: Ray Train keeps its state in ``workers`` below it, in a directory of the group's name; ``close``
            deletes that directory.
        max_failures: How often workers may die in one order, or before it, until ``serve`` gives up.
    """

    def __init__(self, handle: Handle, name: str, resources: Resources, folder: Folder, max_failures: int = 3) -> None:
        self._handle, self._name, self._resources = handle, name, resources
        self._out, self._max_failures = folder / _WORKERS, max_failures
        self._run = self._start()

    def serve(self, order: Any) -> Iterator[Any]:
        """Has an order done; yields the first worker's rows, those before a loss perhaps twice.

        An order whose iterator is given up is broken off, and its workers end; the next order starts new ones.

        Raises:
            WorkersLostError: Workers died too often, or did not start. The next order starts new ones.
            Exception: What ``handle`` raised; the group can take the next order.
        """
        for failures_left in reversed(range(self._max_failures + 1)):
            if self._run.has_ended:
                self._run = self._start()
            try:
                yield from self._run.rows(order)
                return
            except WorkersLostError:
                if not failures_left:
                    raise

    def close(self) -> None:
        """Ends the workers and gives the resources back; an order after that would start new workers."""
        self._run.end()
        (self._out / self._name).remove()

    def _start(self) -> WarmRun:
        return WarmRun(self._handle, self._name, self._resources, self._out)
