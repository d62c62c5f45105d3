"""The simulated cluster of the fault tests, its folder, and the processes that belong to them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from translearn.cluster.session import LOCAL

#: Processes of Ray's own, which live as long as a node.
_OF_RAY = re.compile(
    r"ray::(IDLE|\w*Agent|_AutoscalingCoordinatorActor|AutoscalingRequester|_StatsActor)"
    r"|.*/ray/(_private|dashboard|autoscaler|core)/|ray-dashboard-|.*multiprocessing"
)
_cluster: Any = None


@dataclass(frozen=True)
class Scene:
    """Where faults are tried.

    Attributes:
        folder: Holds everything; deleted at the end.
        variables: Environment of all processes of the scene. ``TMPDIR`` tells them from others of this machine.
    """

    folder: Path
    variables: dict[str, str]
    _pool: ProcessPoolExecutor

    @property
    def temporary(self) -> Path:
        """The folder for temporary files."""
        return Path(self.variables["TMPDIR"])

    @property
    def logs(self) -> list[Path]:
        """The logs of Ray's workers, those of nodes and clusters that were killed among them."""
        return sorted(self.folder.glob("r/session_*/logs/worker-*.out"))

    def cluster(self, method: str, *arguments: Any) -> Any:
        """Call a method of the ``SimulatedCluster``."""
        return self._pool.submit(_call, method, *arguments).result()

    def processes(self, title: str = "") -> list[int]:
        """Return the processes of the scene whose title begins so, but for Ray's own."""
        titles = {pid: _read(pid, "cmdline") for pid in _pids()}
        return [pid for pid, found in titles.items() if found.startswith(title) and self._has(pid, found)]

    def leftovers(self) -> list[str]:
        """Return the actors, placement groups and processes of commands, a line each."""
        titles = [_read(pid, "cmdline").replace("\0", " ")[:80] for pid in self.processes()]
        return [*self.cluster("leftovers"), *(f"process {title}" for title in titles)]

    def _has(self, pid: int, title: str) -> bool:
        return bool(title) and f"TMPDIR={self.temporary}\0" in _read(pid, "environ") and not _OF_RAY.match(title)


@contextmanager
def scene() -> Iterator[Scene]:
    """Start a cluster of a head and two nodes in a process of its own, because Ray reads variables at import."""
    folder = Path(tempfile.mkdtemp(prefix="f-", dir="/tmp"))  # Ray's sockets need a short path
    variables = {
        **LOCAL,
        "RAY_raylet_start_wait_time_s": "120",  # a machine with much else to do starts nodes slowly
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_TMPDIR": str(folder),
        "TMPDIR": str(folder / "t"),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    (folder / "t").mkdir()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            pool.submit(_start, folder / "r", variables).result()
            yield Scene(folder, variables, pool)
            pool.submit(_call, "end").result()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def stray_memory(before: set[str]) -> list[str]:
    """Return new files of shared memory that no process has open, a line each."""
    new = shared_memory() - before
    held = {target for pid in _pids() for target in _open_files(pid)} if new else set()
    return [f"shared memory {name}" for name in sorted(new) if f"/dev/shm/{name}" not in held]


def shared_memory() -> set[str]:
    """Return the names of the files of shared memory on this machine."""
    return {path.name for path in Path("/dev/shm").iterdir() if path.is_file()}


def _start(folder: Path, variables: dict[str, str]) -> None:
    global _cluster
    os.environ.update(variables)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from simulated_cluster import SimulatedCluster

    _cluster = SimulatedCluster(folder)


def _call(method: str, *arguments: Any) -> Any:
    return getattr(_cluster, method)(*arguments)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # the process has ended, or belongs to another user
        return ""


def _open_files(pid: int) -> list[str]:
    try:
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []
