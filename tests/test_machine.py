"""The CPUs and the memory of a container, a batch job or a binding, in made-up ``/proc`` and ``/sys``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from translearn.machine import allowed_cpus, allowed_memory

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 CPUs and 256 GiB, and no batch job."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 64 * 2**20, "SC_PAGE_SIZE": 4096}[name])
    for name in list(os.environ):
        if name.startswith(("SLURM_", "PBS_", "LSB_", "SGE_")):
            monkeypatch.delenv(name)


def made(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroup, **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "cpus", "gibibytes"),
    [
        pytest.param("0::/", {"cpu.max": "max 100000", "memory.max": "max"}, 64, 256, id="no limit"),
        pytest.param("0::/", {"cpu.max": "400000 100000", "memory.max": f"{8 * GIB}"}, 4, 8, id="container"),
        pytest.param("0::/", {"cpu.max": "50000 100000"}, 1, 256, id="half a CPU is one"),
        pytest.param("0::/", {"cpu.max": "350000 100000"}, 3, 256, id="no more than it may"),
        pytest.param(
            "0::/system.slice/slurmstepd.scope/job_7/step_0",
            {
                "system.slice/slurmstepd.scope/job_7/memory.max": f"{16 * GIB}",
                "system.slice/slurmstepd.scope/job_7/step_0/memory.max": "max",
                "system.slice/slurmstepd.scope/job_7/cpu.max": "800000 100000",
            },
            8,
            16,
            id="a limit of a cgroup above",
        ),
        pytest.param(
            "4:memory:/docker/a1\n1:cpu,cpuacct:/docker/a1",
            {
                "cpu/cpu.cfs_quota_us": "200000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": f"{4 * GIB}",
            },
            2,
            4,
            id="version 1, seen from inside",
        ),
        pytest.param(
            "4:memory:/\n1:cpu:/",
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            64,
            256,
            id="version 1, no limit",
        ),
        pytest.param("0::/../../other", {"cpu.max": "100000 100000"}, 64, 256, id="outside of what is seen"),
    ],
)
def test_limits_of_cgroups(tmp_path: Path, cgroup: str, files: dict[str, str], cpus: int, gibibytes: int) -> None:
    root = made(tmp_path, cgroup, files)
    assert (allowed_cpus(root), allowed_memory(root)) == (cpus, gibibytes * GIB)


def test_a_machine_without_cgroups(tmp_path: Path) -> None:
    assert (allowed_cpus(tmp_path), allowed_memory(tmp_path)) == (64, 256 * GIB)


def test_a_process_that_is_bound_to_some_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert allowed_cpus(tmp_path) == 2
    assert allowed_cpus(made(tmp_path, "0::/", {"cpu.max": "800000 100000"})) == 2


@pytest.mark.parametrize(
    ("variables", "cpus", "gibibytes"),
    [
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "32768"}, 8, 32),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_CPU": "2048"}, 8, 16),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "128", "SLURM_MEM_PER_NODE": "0"}, 64, 256),
        ({"SLURM_CPUS_ON_NODE": "8", "SLURM_MEM_PER_NODE": "1024"}, 64, 256),  # of no job
        ({"PBS_JOBID": "7.pbs", "NCPUS": "4"}, 4, 256),
        ({"LSB_JOBID": "7", "LSB_DJOB_NUMPROC": "6"}, 6, 256),
        ({"SGE_TASK_ID": "undefined", "NSLOTS": "5"}, 5, 256),
        ({"NCPUS": "4", "NSLOTS": "5"}, 64, 256),
    ],
)
def test_what_a_batch_job_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cpus: int, gibibytes: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (allowed_cpus(tmp_path), allowed_memory(tmp_path)) == (cpus, gibibytes * GIB)
