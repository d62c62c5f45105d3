"""A folder that processes of a node share: emptied by the first who comes, deleted by the last who goes.

Each holds a shared lock on its lock file. The system takes a lock back when its holder dies, so what dead processes
left is seen to be nobody's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_LOCK = "lock"


class NodeFolder:
    """This process's hold on a folder of this node.

    Attributes:
        path: The folder; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        """Takes hold. What lies there is deleted if no process that lives holds it."""
        self.path = path
        self._lock = self._entered()

    def close(self) -> None:
        """Gives the hold back; the last one deletes the folder. Safe to call twice."""
        if self._lock.closed:
            return
        with self._lock:
            if _try_alone(self._lock):
                # Renamed first, so that one who comes now makes a new folder and not half of this one.
                gone = self.path.rename(self.path.with_name(f"{self.path.name}.gone-{uuid.uuid4().hex[:8]}"))
                shutil.rmtree(gone)

    def _entered(self) -> IO[bytes]:
        while True:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = self._opened()
            if held is None:
                continue
            if _try_alone(held) and self._is_mine(held):
                self._sweep()
            fcntl.flock(held, fcntl.LOCK_SH)
            if self._is_mine(held):
                return held
            held.close()

    def _opened(self) -> IO[bytes] | None:
        try:
            return (self.path / _LOCK).open("ab")
        except FileNotFoundError:  # the last one has just deleted the folder
            return None

    def _is_mine(self, held: IO[bytes]) -> bool:
        """Whether the open file is still the folder's lock file."""
        lock = self.path / _LOCK
        try:
            return os.path.samestat(os.fstat(held.fileno()), lock.stat())
        except FileNotFoundError:
            return False

    def _sweep(self) -> None:
        stale = [path for path in self.path.iterdir() if path.name != _LOCK]
        for path in (*stale, *self.path.parent.glob(f"{self.path.name}.gone-*")):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps others out of what a lock file stands for, and waits for them."""
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Keeps others out likewise, but does not wait: False where one is at it."""
    with path.open("ab") as held:
        yield _try_alone(held)


def _try_alone(held: IO[bytes]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
