"""A local Ray starts in a container and in a batch job as they are: cases of tests/cluster/start/CASES.md."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def run(script: str, *prefix: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """Run a script on one CPU, with these variables; None takes one away."""
    gone = {name for name in os.environ if name.startswith(("RAY_", "GLOO_", "TUNE_"))}
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    environment = {name: value for name, value in {**kept, **variables}.items() if value is not None}
    command = [*prefix, sys.executable, "-c", script]
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
