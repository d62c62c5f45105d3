"""What a study left behind that an undisturbed one does not: processes, files, shared memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

#: Ray's processes that are there as long as a node is.
_OF_RAY = re.compile(
    r"ray::(IDLE|\w*Agent|_AutoscalingCoordinatorActor|AutoscalingRequester)"
    r"|.*/ray/(_private|dashboard|autoscaler|core)/|ray-dashboard-"
)
_EVENTS = re.compile(r"events\.out\.tfevents\..*")


def files(folder: Path) -> set[str]:
    """The files in a folder by their paths in it; TensorBoard's, whose names tell when they were begun, as one."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path.with_name("events") if _EVENTS.fullmatch(path.name) else path) for path in found}


def stray_files(folder: Path, expected: set[str]) -> list[str]:
    """Files of a folder other than those that an undisturbed study leaves there."""
    return [f"file {folder.name}/{name}" for name in sorted(files(folder) - expected)]


def stray_processes(folder: Path) -> list[str]:
    """Processes other than Ray's own that have a file open in a folder."""
    return [f"process {pid} {name}" for pid, name in _holders(folder) if not _OF_RAY.match(name)]


def stray_memory(before: set[str]) -> list[str]:
    """Files of shared memory that are new, and that no process has open."""
    new = shared_memory() - before
    held = {target for pid in _pids() for target in _open_files(pid)} if new else set()
    return [f"shared memory {name}" for name in sorted(new) if f"/dev/shm/{name}" not in held]


def shared_memory() -> set[str]:
    """The files of shared memory on this machine."""
    return {path.name for path in Path("/dev/shm").iterdir() if path.is_file()}


def _holders(folder: Path) -> Iterator[tuple[int, str]]:
    for pid in _pids():
        if pid != os.getpid() and any(name.startswith(f"{folder}/") for name in _open_files(pid)):
            try:
                yield pid, Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
            except OSError:  # it has ended meanwhile
                continue


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _open_files(pid: int) -> list[str]:
    """What a process has open; nothing where it has ended."""
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []
    return [target for link in links if (target := _target(link))]


def _target(link: Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return None
