"""The simulated cluster of the fault tests, its folder, and the processes and files that belong to them."""

from __future__ import annotations

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

from translearn.cluster.session import LOCAL, environment

#: Processes that live as long as the cluster.
_LASTING = re.compile(
    r"ray::(IDLE|\w*Agent|_AutoscalingCoordinatorActor|AutoscalingRequester|_StatsActor)"
    r"|.*/ray/(_private|dashboard|autoscaler|core)/|ray-dashboard-|.*multiprocessing"
)
_cluster: Any = None


@dataclass(frozen=True)
class Scene:
    """A cluster, the folder that holds everything, and the environment of all processes.

    Their ``TMPDIR`` tells them from other processes of this machine.
    """

    folder: Path
    variables: dict[str, str]
    _pool: ProcessPoolExecutor

    @property
    def logs(self) -> list[Path]:
        """The logs of all of Ray's workers so far."""
        return sorted({path.resolve() for path in self.folder.glob("ray/session_*/logs/worker-*.out")})

    def cluster(self, method: str, *arguments: Any) -> Any:
        """Call a method of the ``SimulatedCluster``."""
        return self._pool.submit(_call, method, *arguments).result()

    def processes(self, title: str = "") -> list[int]:
        """Return the processes whose title begins so, but for those that live as long as the cluster."""
        mark, found = f"TMPDIR={self.variables['TMPDIR']}\0", [pid for pid in _pids() if title_of(pid)]
        chosen = [pid for pid in found if title_of(pid).startswith(title) and not _LASTING.match(title_of(pid))]
        return [pid for pid in chosen if mark in _read(pid, "environ")]

    def leftovers(self) -> list[str]:
        """Return the actors and placement groups that exist and the processes of commands, a line each."""
        return [*self.cluster("leftovers"), *(f"process {title_of(pid)[:80]}" for pid in self.processes())]


@contextmanager
def scene() -> Iterator[Scene]:
    """Start a cluster of a head and two nodes, in a process of its own: Ray reads variables when it is imported."""
    folder = Path(tempfile.mkdtemp(prefix="f-", dir="/tmp"))  # Ray's sockets need a short path
    for name in ("t", "ray"):
        (folder / name).mkdir()
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
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            with environment(variables):  # the process begins at the first call
                pool.submit(_start, folder / "ray").result()
            yield Scene(folder, variables, pool)
            pool.submit(_call, "end").result()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def shared_memory() -> set[str]:
    """Return the files of shared memory of this machine that no process has open."""
    held = {link for pid in _pids() for link in _open_files(pid)}
    return {str(path) for path in Path("/dev/shm").iterdir() if path.is_file()} - held


def title_of(pid: int) -> str:
    """Return the title of a process; empty where it has ended."""
    return _read(pid, "cmdline").replace("\0", " ")


def _start(folder: Path) -> None:
    global _cluster
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
