"""The time that the commands of a study have used, whichever of them was interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from translearn.cluster.tracking.background import beside
from translearn.errors import StorageError
from translearn.storage.folder import Folder

TIME = "time.json"
#: So much at most is not counted of a command that was killed.
_EVERY_S = 10.0


class Clock:
    """The seconds that commands have been at work in a study; the time between two commands does not count."""

    def __init__(self, folder: Folder, began: float) -> None:
        """Begin to count: ``began`` is when this command did, by ``time.monotonic``."""
        self._folder, self._began = folder, began
        self._earlier_s = float(folder.read_json(TIME)["used_s"]) if folder.exists(TIME) else 0.0

    @property
    def used_s(self) -> float:
        """The seconds of all commands up to now."""
        return self._earlier_s + time.monotonic() - self._began

    def keep(self) -> None:
        """Write down what is used."""
        self._folder.write_json(TIME, {"used_s": round(self.used_s, 3)})


@contextmanager
def counted(folder: Folder, began: float) -> Iterator[Clock]:
    """Yield the clock of a study, which is kept again and again as long as the block runs.

    Args:
        folder: The study's directory.
        began: When the command began, by ``time.monotonic``.
    """
    clock = Clock(folder, began)
    try:
        with beside(partial(_keep, clock)):
            yield clock
    finally:
        clock.keep()


def _keep(clock: Clock, over: threading.Event) -> None:
    while not over.wait(_EVERY_S):
        with suppress(StorageError):  # what the study writes itself will say so
            clock.keep()
