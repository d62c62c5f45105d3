"""The jobs of a step, handed out to the groups of workers that do them."""

from __future__ import annotations

from collections import deque


class JobQueue:
    """An actor: the jobs that wait, and the job of each group. Jobs have numbers, from 0.

    >>> queue = JobQueue(3)
    >>> queue.take(group=0), queue.take(group=1)
    (0, 1)
    >>> queue.take(group=0)  # its workers were lost, and others ask
    0
    >>> queue.take(group=0, ended=0), queue.take(group=1, ended=1)
    (2, None)
    """

    def __init__(self, num_jobs: int) -> None:
        self._waiting, self._taken = deque(range(num_jobs)), dict[int, int | None]()

    def take(self, group: int, ended: int | None = None) -> int | None:
        """Return the next job of a group, or the same again until it has ended; None when there are no more."""
        if group not in self._taken or self._taken[group] == ended:
            self._taken[group] = self._waiting.popleft() if self._waiting else None
        return self._taken[group]
