"""A local Ray starts in a container and in a batch job as they are; a cluster of another version is one line.

The cases of tests/cluster/start/CASES.md that need a real Ray.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from translearn.cluster.session import LOCAL

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

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


def test_a_cluster_of_another_version_is_one_line(ray_session: str, tmp_path: Path) -> None:
    file, address = tmp_path / "pets.yaml", ray.get_runtime_context().gcs_address
    file.write_text(
        "name: a\ntarget: {data: 'sklearn:digits'}\nsources: [{name: b, arch: resnet18, weights: DEFAULT}]\n"
    )
    script = (
        "import sys, ray\nhere, ray.__version__ = ray.__version__, '2.40.0'\n"
        f"from translearn.cli import main\ncode = main(['run', {str(file)!r}])\nprint(here)\nsys.exit(code)"
    )
    done = run(script, RAY_ADDRESS=address, RAY_AUTH_MODE="token", **LOCAL)
    python, real = sys.version.split()[0], ray.__version__
    assert done.stderr.splitlines()[-1] == (
        f"error: RAY_ADDRESS: must be of a cluster with Ray 2.40.0 and Python {python}, as here, but got Ray {real} "
        f"and Python {python}. Use an environment with the cluster's versions."
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
