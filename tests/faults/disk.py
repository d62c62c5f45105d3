"""A disk in memory for one study, which can be filled and made read-only. Needs Linux and the right to mount."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

_FILLER, _CHUNKS = "filler", (2**20, 1)


@functools.cache
def can_mount() -> bool:
    """Return whether this process may mount disks. Root in a container often may not, so it is tried."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder))
            unmount(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def mount(folder: Path) -> None:
    """Mount a new disk on a folder."""
    _run("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(folder))


def unmount(folder: Path) -> None:
    """Take away whatever is mounted on a folder."""
    while folder.is_mount():
        _run("umount", "--lazy", str(folder))


def fill(folder: Path) -> None:
    """Take all the room that is left."""
    with (folder / _FILLER).open("wb", buffering=0) as file:
        for size in _CHUNKS:
            with suppress(OSError):  # the disk is full
                while os.write(file.fileno(), bytes(size)):
                    pass


def empty(folder: Path) -> None:
    """Give that room back."""
    (folder / _FILLER).unlink()


def forbid(folder: Path) -> None:
    """Make the disk read-only: a disk in use cannot be, but a mount over it can."""
    _run("mount", "--bind", str(folder), str(folder))
    _run("mount", "-o", "remount,bind,ro", str(folder))


def allow(folder: Path) -> None:
    """Make the disk writable again."""
    _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
