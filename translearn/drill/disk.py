"""A disk of its own for one study: it can be filled and made read-only. Needs root, and Linux."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_FILLER, _SIZE, _CHUNK = "filler", "2g", 2**20


def can_mount() -> bool:
    """Whether this process may mount disks."""
    return os.geteuid() == 0


@dataclass(frozen=True)
class Disk:
    """A disk in memory, mounted on a folder until ``unmount``."""

    folder: Path

    @classmethod
    def mounted(cls, folder: Path) -> Disk:
        """Mounts a new one."""
        _run("mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder))
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
        """Makes it read-only, also for what has files open."""
        _run("mount", "-o", "remount,ro,force", str(self.folder))

    def allow(self) -> None:
        """Makes it writable again."""
        _run("mount", "-o", "remount,rw", str(self.folder))

    def unmount(self) -> None:
        """Takes it away, with all that is on it."""
        _run("umount", "--lazy", str(self.folder))

    def _write(self, file: int, size: int) -> None:
        try:
            while os.write(file, bytes(size)):
                pass
        except OSError:  # it is full
            return


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
