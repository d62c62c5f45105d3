"""The jobs of a step, handed out to the groups of workers that do them, and what the workers tell of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

#: What a group is told that shall ask again: more jobs may come.
WAIT = "wait"

Row = dict[str, Any]


class JobQueue:
    """An actor: the jobs that wait, the job of each group, and the rows of epochs that nobody has read yet.

    >>> queue = JobQueue()
    >>> queue.add([("a", 1), ("b", 2), ("c", 3)])
    >>> queue.take(group=0), queue.take(group=1)
    (1, 2)
    >>> queue.take(group=0)  # its workers were lost, and others ask
    1
    >>> queue.take(group=0, ended="a"), queue.take(group=1, ended="b")
    (3, 'wait')
    >>> queue.close()
    >>> queue.take(group=1), queue.look()  # what is left is c
    (None, ([], 1))
    """

    def __init__(self) -> None:
        self._waiting, self._taken = deque[tuple[str, Any]](), dict[int, tuple[str, Any]]()
        self._rows, self._is_closed = list[Row](), False

    def add(self, jobs: Iterable[tuple[str, Any]]) -> None:
        """Add jobs, each with its name."""
        self._waiting.extend(jobs)

    def close(self) -> None:
        """Say that no more jobs will come."""
        self._is_closed = True

    def take(self, group: int, ended: str | None = None) -> Any:
        """Return a group's next job, or the same again until it has ended; ``WAIT``; None when there are no more."""
        if group in self._taken and self._taken[group][0] == ended:
            del self._taken[group]
        if group not in self._taken:
            if not self._waiting:
                return None if self._is_closed else WAIT
            self._taken[group] = self._waiting.popleft()
        return self._taken[group][1]

    def give_up(self, group: int) -> None:
        """Forget the job of a group that failed."""
        self._taken.pop(group, None)

    def tell(self, row: Row) -> None:
        """Take a row of a worker."""
        self._rows.append(row)

    def look(self) -> tuple[list[Row], int]:
        """Return the rows since the last look, and how many jobs have not ended."""
        rows, self._rows = self._rows, []
        return rows, len(self._waiting) + len(self._taken)
