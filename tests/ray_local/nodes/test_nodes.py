"""Several nodes, simulated: a search uses all of them, and those that join while it runs; all is given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from translearn.cluster.session import LOCAL

SCRIPT = Path(__file__).with_name("nodes_script.py")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def shown(num_nodes: int, folder: Path, *more: str) -> dict[str, Any]:
    """The JSON of the script on a cluster of so many nodes."""
    command = [sys.executable, str(SCRIPT), str(num_nodes), str(folder), *more]
    paths = os.pathsep.join([str(SCRIPT.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **LOCAL, "RAY_raylet_start_wait_time_s": "120", "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=880, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("num_nodes", [2, 4])
def test_trials_run_on_all_nodes_and_all_is_given_back(num_nodes: int, tmp_path: Path) -> None:
    found = shown(num_nodes, tmp_path)
    assert found["at_once"] == num_nodes
    assert set(found["nodes"]) == set(found["joined"])
    assert found["free"]
    assert found["seen"] == ""
    rule = f"storage: must be seen by all {num_nodes + 1} nodes, but got {tmp_path}, which "
    assert found["unseen"].startswith(rule)
    assert f"({found['blind'][:8]}) does not see. Use s3:// or gs:// with credentials" in found["unseen"]


def test_a_node_that_joins_while_a_search_runs_gets_trials(tmp_path: Path) -> None:
    found = shown(1, tmp_path, "grow")
    first, later = found["joined"]
    assert found["nodes"].count(first) > 0
    assert found["nodes"].count(later) > 1
    assert found["free"]
