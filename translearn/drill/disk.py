"""A disk of its own for one study: it can be filled and made read-only. Needs root, and Linux."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_FILLER, _SIZE, _CHUNK = "filler", "512m", 2**20


@functools.cache
def can_mount() -> bool:
    """Whether this process may mount disks: it tries, because root in a container often may not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            Disk.mounted(Path(folder)).unmount()
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


@dataclass(frozen=True)
class Disk:
    """A disk in memory, mounted on a folder until ``unmount``."""

    folder: Path

    @classmethod
    def mounted(cls, folder: Path, size: str = _SIZE) -> Disk:
        """Mounts a new one, of a size as ``mount`` takes it."""
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
        return cls(folder)

    def fill(self) -> None:
        """Takes all room that is left."""
        with (self.folder / _FILLER).open("wb", buffering=0) as file:
            for size in (_CHUNK, 1):
                self._write(file.fileno(), size)

    def empty(self) -> None:
        """Gives that room back."""
        (self.folder / _FILLER).unlink()

    def forbid(self) -> None:
        """Makes it read-only. A disk that is in use cannot be; what lies over it can, and hides it."""
        _run("mount", "--bind", str(self.folder), str(self.folder))
        _run("mount", "-o", "remount,bind,ro", str(self.folder))

    def allow(self) -> None:
        """Makes it writable again."""
        _run("umount", "--lazy", str(self.folder))

    def unmount(self) -> None:
        """Takes it away, with all that is on it and over it."""
        while self.folder.is_mount():
            _run("umount", "--lazy", str(self.folder))

    def _write(self, file: int, size: int) -> None:
        try:
            while os.write(file, bytes(size)):
                pass
        except OSError:  # it is full
            return


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
