"""This machine's CPU, the part of it that this process may use (its container's, its batch job's), and its end."""

from __future__ import annotations

import atexit
import gc
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
#: Variables of batch systems: one that every job has, and one with the CPUs that it has on this node. Slurm, PBS, LSF
#: and Grid Engine; as `parallelly` of R reads them.
_JOBS = {
    "SLURM_JOB_ID": "SLURM_CPUS_ON_NODE",
    "PBS_JOBID": "NCPUS",
    "LSB_JOBID": "LSB_DJOB_NUMPROC",
    "SGE_TASK_ID": "NSLOTS",
}
_MIB = 2**20


def allowed_cpus(root: Path = _ROOT) -> int:
    """Return the CPUs that this process may use, at least 1.

    The fewest of those it is bound to, the limits of its cgroups, and what its batch job was given on this node.

    Args:
        root: Where ``/proc`` and ``/sys`` are.
    """
    job = [cpus for mark, name in _JOBS.items() if mark in os.environ and (cpus := _variable(name))]
    return max(1, int(min([len(os.sched_getaffinity(0)), *_cpu_limits(root), *job])))


def allowed_memory(root: Path = _ROOT) -> int:
    """Return the memory, in bytes, that this process and those it starts may use; see ``allowed_cpus``."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical, *_memory_limits(root), *_job_memory()])


def cpu_name(root: Path = _ROOT) -> str:
    """Return the name of this machine's CPU; its kind where the system does not tell the name."""
    names = re.findall(r"model name\s*: (.*)", _content(root / "proc/cpuinfo"))
    return names[0] if names else platform.machine()


def end_quickly() -> None:
    """Let this process end without a last search for garbage: with torch loaded it takes 0.7 s of a CPU.

    Ray ends idle workers when others start, which then wait for it.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _job_memory() -> list[int]:
    if "SLURM_JOB_ID" not in os.environ:
        return []
    of_node, of_cpu = _variable("SLURM_MEM_PER_NODE"), _variable("SLURM_MEM_PER_CPU")
    return [mebibytes * _MIB for mebibytes in (of_node, of_cpu * _variable("SLURM_CPUS_ON_NODE")) if mebibytes]


def _variable(name: str) -> int:
    """Return a number of the environment; 0 where there is none. Slurm's memory of 0 is all that there is."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0


def _cpu_limits(root: Path) -> Iterator[float]:
    for folder in _cgroups(root, ""):
        quota, _, period = _content(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            yield int(quota) / int(period)
    for folder in _cgroups(root, "cpu"):
        quota, period = _content(folder / "cpu.cfs_quota_us"), _content(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal():  # -1 is no limit
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _cgroups(root, controller):
            if (limit := _content(folder / name)).isdecimal():
                yield int(limit)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's cgroup and those above it; a container sees its own as the first.

    Args:
        root: Where ``/proc`` and ``/sys`` are.
        controller: Of version 1; empty for version 2.
    """
    for line in _content(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") and ".." not in path:
            within = PurePosixPath(path.lstrip("/"))
            for mount in [controller] if controller else ["", "unified"]:
                for part in (within, *within.parents):
                    yield root / "sys/fs/cgroup" / mount / part


def _content(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
