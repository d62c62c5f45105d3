"""A lock where there are none: in an object store the driver signs a file again and again.

The last signature counts. Who took the lock looks, after a while, whether it is still the last one; who holds it looks
before each new signature, and gives up where it finds another's. No clock of another machine is believed.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from translearn.cluster.tracking.background import beside
from translearn.errors import StorageError
from translearn.storage.folder import Folder
from translearn.study.lock.driver import is_dead, ousted, refused, this_driver


@dataclass(frozen=True)
class Pace:
    """Seconds of the protocol.

    Attributes:
        beat_s: Between two signatures.
        silent_s: Without a new signature, while the storage answers, until a driver is taken for dead. More than what
            ``file_systems.PATIENT`` waits for the storage, and a beat: so long a living driver may be silent.
        settle_s: Between the first signature and the look whether another driver has signed meanwhile.
    """

    beat_s: float = 10.0
    silent_s: float = 150.0
    settle_s: float = 2.0


PACE = Pace()


@contextmanager
def signed_lock(storage: Folder, name: str, where: str, pace: Pace) -> Iterator[None]:
    """Hold the file ``name`` as long as the block runs.

    A driver that finds another's signature there, as after a sleep of its machine, interrupts its main thread, as
    Ctrl-C does, and the block ends with an error that says so.

    Args:
        storage: Where the file lies.
        name: The file.
        where: What it locks, for messages.
        pace: How often it is signed and looked at.

    Raises:
        TranslearnError: Another driver holds it, or has taken it over.
    """
    signature = _Signature(storage, name, where)
    signature.take(pace)
    try:
        with _interruptible() as interrupt, beside(partial(signature.keep, pace.beat_s, interrupt)):
            yield
    finally:
        signature.remove()
        signature.check()


@dataclass
class _Signature:
    storage: Folder
    name: str
    where: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    beat: int = 0
    #: What lay there instead, once another driver's was found.
    other: list[str | None] = field(default_factory=list)

    def take(self, pace: Pace) -> None:
        """Return when the lock is ours; raise as soon as another driver signs."""
        may_live = self._wait_for_silence(pace)
        looked_s = time.monotonic()
        self._sign()
        is_late = time.monotonic() - looked_s > pace.settle_s / 2
        # A silent driver that lives, or one that signed and looked before this late signature, finds it at its next
        # beat, and ends.
        time.sleep(pace.settle_s + (2 * pace.beat_s if may_live or is_late else 0))
        if not self._is_last():
            raise refused(self.where, self.other[0] or "")

    def keep(self, beat_s: float, interrupt: Callable[[], None], over: threading.Event) -> None:
        """Sign until the block has ended, or until another driver has signed."""
        while not over.wait(beat_s):
            with suppress(StorageError):  # what the study writes itself will say so
                if not self._is_last():
                    interrupt()
                    return
                self._sign()

    def check(self) -> None:
        """Raise where another driver has signed."""
        if self.other:
            raise ousted(self.where, self.other[0])

    def remove(self) -> None:
        """Delete the file if it is ours; left there, it counts as dead after some time."""
        with suppress(StorageError):
            if not self.other and self._is_last():
                self.storage.remove_file(self.name)

    def _wait_for_silence(self, pace: Pace) -> bool:
        """Wait until nobody signs; return whether a driver may yet be there."""
        first, pause_s = self._read(), min(pace.beat_s, pace.silent_s) / 5
        # Looks are counted, not seconds: while the storage does not answer, nobody can sign.
        for _ in range(math.ceil(pace.silent_s / pause_s)):
            if first is None or is_dead(json.loads(first)):
                return False
            time.sleep(pause_s)
            if self._read() not in (first, None):
                raise refused(self.where, first)
        return True

    def _sign(self) -> None:
        driver = {**this_driver(), "owner": self.owner, "beat": self.beat}
        self.storage.write_bytes(self.name, json.dumps(driver).encode())
        self.beat += 1

    def _is_last(self) -> bool:
        found = self._read()
        if found is None or json.loads(found)["owner"] != self.owner:
            self.other.append(found)
        return not self.other

    def _read(self) -> str | None:
        return self.storage.read_bytes(self.name).decode() if self.storage.exists(self.name) else None


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Return a function that interrupts the main thread, whatever it waits for, also where Ctrl-C is ignored."""
    if threading.current_thread() is not threading.main_thread():  # no signal reaches another one
        yield lambda: None
        return
    main, before = threading.get_ident(), signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
