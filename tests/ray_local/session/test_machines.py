"""A local Ray starts in a container and in a batch job as they are: cases of tests/cluster/start/CASES.md."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from small_study import small_tree

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

#: As another user than any that the machine knows, who may write only where the mode says so, root or not.
NOBODY = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
DEAD = "http://127.0.0.1:9"
ON_LOCAL = """
import getpass
import ray
from ray.air._internal.filelock import TempFileLock
from ray.util.state import list_nodes
from translearn.cluster.session import session

with session("local"):
    @ray.remote
    def name():
        with TempFileLock("x"):
            return getpass.getuser()

    print(int(ray.cluster_resources()["CPU"]), ray.get(name.remote()), [node.state for node in list_nodes()])
"""
WITH_A_GPU = """
import sys
import ray
from translearn.cli import main
from translearn.cluster.session import listen_here_only

listen_here_only()
ray.init("local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
print([main(["run", sys.argv[1], *flags]) for flags in ([], ["--dry-run"])])
"""


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def run(
    script: str, *prefix: str, arguments: tuple[str, ...] = (), **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a script on one CPU, with these arguments and variables; None takes a variable away."""
    gone = {name for name in os.environ if name.startswith(("RAY_", "GLOO_", "TUNE_"))}
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    environment = {name: value for name, value in {**kept, **variables}.items() if value is not None}
    command = [*prefix, sys.executable, "-c", script, *arguments]
    bound = lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # noqa: E731
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, preexec_fn=bound)


def test_in_a_batch_job_with_a_long_folder_and_one_cpu(tmp_path: Path) -> None:
    folder = tmp_path / ("job-" + "7" * 80)
    folder.mkdir()
    done = run(ON_LOCAL, TMPDIR=str(folder), http_proxy=DEAD, HTTP_PROXY=DEAD, USER="me", LOGNAME="me")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "1 me ['ALIVE']\n"
    assert {"ray", "_ray_lockfiles"} <= {path.name for path in folder.iterdir()}


def test_in_a_container_for_a_user_without_a_name_and_a_home_beside_another_one(short: Path) -> None:
    if not shutil.which("unshare") or subprocess.run([*NOBODY, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    for name in ("home", "ray", "_ray_lockfiles"):  # the last two are another user's
        (short / name).mkdir()
        (short / name).chmod(0o555)
    nameless = dict.fromkeys(("USER", "LOGNAME", "LNAME", "USERNAME"))
    done = run(
        ON_LOCAL, *NOBODY, HOME=str(short / "home"), RAY_TMPDIR=str(short), TMPDIR=str(short / "gone"), **nameless
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "1 12345 ['ALIVE']\n"
    assert list((short / "home").iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch that can use no GPU")
def test_a_gpu_that_ray_has_and_torch_cannot_use_ends_the_command(tmp_path: Path) -> None:
    study = tmp_path / "small.yaml"
    study.write_text(yaml.safe_dump(small_tree(tmp_path / "studies")))
    done = run(WITH_A_GPU, arguments=(str(study),), RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
    assert done.stdout.splitlines()[-1] == "[2, 2]", done.stderr[-3000:]
    blind = f"got 1 with torch {torch.__version__} on {platform.node()}. Install a torch with CUDA for the driver there"
    told = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (
        told
        == [
            f"error: cluster.gpus_per_worker: must be 0 where torch cannot use the GPUs that Ray has, but {blind} "
            "(`nvidia-smi` shows it), or set it to 0."
        ]
        * 2
    )
    assert not (tmp_path / "studies" / "small" / "trials.parquet").exists()
