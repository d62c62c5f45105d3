"""One driver at a time in a study: a lock that a crash releases."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from translearn.errors import StorageError, TranslearnError, fault
from translearn.storage import Folder

_BEAT_S, _SILENT_S = 10.0, 35.0


@contextmanager
def only_driver(storage: Folder, study: str, beat_s: float = _BEAT_S, silent_s: float = _SILENT_S) -> Iterator[None]:
    """Keeps every other command out of a study as long as the block runs, by the file ``.<study>.lock`` beside it.

    In a local or shared folder the system holds the lock, and releases it when this process dies, however it does. An
    object store has no locks: there the driver signs a file again and again, and one whose signature stays the same is
    taken for dead, whatever the machines' clocks say.

    Args:
        storage: Where the study's directory lies.
        study: Its name.
        beat_s: Seconds between two signatures.
        silent_s: Seconds after which a driver that does not sign is taken for dead.

    Raises:
        TranslearnError: Another command is at work there.
    """
    lock = _Lock(storage.make(), study)
    with lock.held() if storage.is_local else lock.signed(beat_s, silent_s):
        yield


@dataclass(frozen=True)
class _Lock:
    storage: Folder
    study: str

    @property
    def name(self) -> str:
        return f".{self.study}.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        # Never deleted: one who opened it before would then lock a file that nobody else sees.
        with open(self.storage.file(self.name), "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise self._refused(file.read()) from None
            file.truncate(0)
            file.write(json.dumps(_me()))
            file.flush()
            yield

    @contextmanager
    def signed(self, beat_s: float, silent_s: float) -> Iterator[None]:
        self._wait_for_silence(beat_s, silent_s)
        owner, over = uuid.uuid4().hex, threading.Event()
        self._sign(owner, 0)
        thread = threading.Thread(target=self._keep_signing, args=(owner, over, beat_s), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.storage.remove_file(self.name)

    def _sign(self, owner: str, beat: int) -> None:
        self.storage.write_bytes(self.name, json.dumps({**_me(), "owner": owner, "beat": beat}).encode())

    def _keep_signing(self, owner: str, over: threading.Event, beat_s: float) -> None:
        beat = 0
        while not over.wait(beat_s):
            beat += 1
            with suppress(StorageError):  # what the study writes itself will say so
                self._sign(owner, beat)

    def _wait_for_silence(self, beat_s: float, silent_s: float) -> None:
        """Returns when nobody signs; raises as soon as somebody does."""
        first, deadline = self._signature(), time.monotonic() + silent_s
        while first and not _is_dead(json.loads(first)) and time.monotonic() < deadline:
            time.sleep(min(beat_s, silent_s) / 5)
            if self._signature() not in (first, None):
                raise self._refused(first)

    def _signature(self) -> str | None:
        return self.storage.read_bytes(self.name).decode() if self.storage.exists(self.name) else None

    def _refused(self, content: str) -> TranslearnError:
        try:
            driver = json.loads(content)
            who = f"one on {driver['host']}, process {driver['pid']}, since {driver['since']}"
        except ValueError:  # it has the lock, and has not signed yet
            who = "one that has just begun"
        remedy = "Wait for it to end, or stop it; this command then goes on where it was."
        where = self.storage.address(self.study)
        return TranslearnError(fault(where, "must have one command at work at a time", who, remedy))


def _is_dead(driver: dict[str, Any]) -> bool:
    """Whether a driver of this machine has ended; of another one that cannot be seen."""
    if driver["host"] != socket.gethostname():
        return False
    try:
        os.kill(driver["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
