"""Decoded images on each node's disk: made once by their first reader, and shared by the node's processes.

A folder is in use while a process holds a shared lock on its lock file, and being written while one holds it alone.
The system takes a lock back when its holder dies, so nothing has to be cleaned up after a crash.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from translearn.data.images.decode import decoded
from translearn.data.images.examples import as_rows
from translearn.data.images.selected import SelectedImages
from translearn.errors import StorageError, fault

_LOCK, _IMAGES = "lock", "images.npy"
_STALE_S = 24 * 3600.0


@dataclass(frozen=True, eq=False)
class DiskImages(SelectedImages):
    """Images on each node's disk; pickles as the selection."""

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the images in these rows; the first call on a node decodes all, others wait for it meanwhile."""
        return np.asarray(self._opened[0][as_rows(rows, len(self))])

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskImages, (self.selection,)

    @property
    def folder(self) -> Path:
        """The folder of these images on this node."""
        return disk_root() / self.selection.fingerprint()

    def decode(self) -> None:
        """Decode all images onto this node's disk, unless they are there.

        Raises:
            DataError: A shard is damaged.
            StorageError: The disk is full, or the folder is another user's.
        """
        _ = self._opened

    def close(self) -> None:
        """Release this process's lock on the folder; the next read acquires it again."""
        self.__dict__.pop("_opened", None)

    @cached_property
    def _opened(self) -> tuple[np.ndarray, IO[bytes]]:
        """The array, and the file whose lock lasts as long as it is open."""
        sweep()
        while True:
            held, file = _held(self.folder), self.folder / _IMAGES
            if file.exists():
                return np.load(file, mmap_mode="r"), held
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_current(held, self.folder) and not file.exists():
                _write(file, self.shape, decoded(self.selection))
            held.close()


def disk_root() -> Path:
    """Return this user's folder for decoded images on this node's temporary disk; create it where missing.

    Raises:
        StorageError: It is another user's.
    """
    return owned(Path(tempfile.gettempdir()) / f"translearn-{os.getuid()}")


def owned(folder: Path) -> Path:
    """Return a folder that no other user can write to; create it where missing.

    Raises:
        StorageError: It is another user's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.lstat().st_uid
    if owner != os.getuid():
        rule = f"must belong to user {os.getuid()}"
        raise StorageError(fault(str(folder), rule, f"user {owner}", "Set TMPDIR to a folder of your own."))
    return folder


def remove_idle(folder: Path) -> bool:
    """Delete decoded images that no process of this node reads; return whether they are gone."""
    with _alone():
        return _removed(folder)


def sweep(older_than_s: float = _STALE_S) -> None:
    """Delete images that no process reads and none has opened for a day: left by drivers that were killed."""
    with _alone() as root:
        for folder in root.iterdir():
            if folder.is_dir() and time.time() - folder.stat().st_mtime > older_than_s:
                _removed(folder)


@contextmanager
def _alone() -> Iterator[Path]:
    """Yield the root, while no other process creates, opens or deletes a folder in it."""
    root = disk_root()
    with (root / _LOCK).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield root


def _write(file: Path, shape: tuple[int, ...], blocks: Iterable[np.ndarray]) -> None:
    """Write a uint8 array, one block in memory at a time; the file has its name once it is complete."""
    part = file.with_suffix(".part")
    try:
        with part.open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for block in blocks:
                stream.write(block.data)
        part.replace(file)
    except OSError as error:
        raise StorageError(f"{file.parent}: cannot be written ({error}). Free space on this disk.") from error


def _removed(folder: Path) -> bool:
    if not folder.exists():
        return True
    with (folder / _LOCK).open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder)
    return True


def _held(folder: Path) -> IO[bytes]:
    """Return the folder's lock file, locked for reading; recreate a folder that was deleted meanwhile."""
    while True:
        with _alone():
            folder.mkdir(exist_ok=True)
            os.utime(folder)
            held = (folder / _LOCK).open("ab")
        fcntl.flock(held, fcntl.LOCK_SH)  # not while alone: a writer may hold it for long
        if _is_current(held, folder):
            return held
        held.close()


def _is_current(held: IO[bytes], folder: Path) -> bool:
    """Return whether the open file is still the folder's lock file, not that of a deleted folder."""
    lock = folder / _LOCK
    return lock.exists() and os.path.samestat(os.fstat(held.fileno()), lock.stat())
