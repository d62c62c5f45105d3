"""One driver at a time in a study: a lock that a crash releases."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from translearn.storage.folder import Folder
from translearn.study.lock.driver import refused, this_driver
from translearn.study.lock.signed_lock import PACE, Pace, signed_lock


@contextmanager
def only_driver(storage: Folder, study: str, pace: Pace = PACE) -> Iterator[None]:
    """Keep every other command out of a study as long as the block runs, by the file ``.<study>.lock`` beside it.

    In a local or shared folder the system holds the lock, and releases it when this process dies, however it does. An
    object store has no locks; there it is signed again and again, see ``signed_lock``.

    Args:
        storage: Where the study's directory lies.
        study: Its name.
        pace: How often an object store is looked at.

    Raises:
        TranslearnError: Another command is at work there; or one took the lock over, and what ran here was ended.
    """
    name, where = f".{study}.lock", storage.address(study)
    storage.make()
    with _held(storage, name, where) if storage.is_local else signed_lock(storage, name, where, pace):
        yield


def check_free(storage: Folder, study: str) -> None:
    """Raise TranslearnError where another command of this machine, or of a shared folder, is at work in a study.

    Leaves nothing. Of an object store ``only_driver`` alone can tell, which takes seconds.
    """
    name = f".{study}.lock"
    if storage.is_local and storage.exists(name):
        with open(storage.file(name), encoding="utf-8") as file:
            _take(file, fcntl.LOCK_SH, storage.address(study))


def _take(file: TextIO, kind: int, where: str) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise refused(where, file.read()) from None


@contextmanager
def _held(storage: Folder, name: str, where: str) -> Iterator[None]:
    # Never deleted: one who opened it before would then lock a file that nobody else sees.
    with open(storage.file(name), "a+", encoding="utf-8") as file:
        _take(file, fcntl.LOCK_EX, where)
        file.truncate(0)
        file.write(json.dumps(this_driver()))
        file.flush()
        yield
