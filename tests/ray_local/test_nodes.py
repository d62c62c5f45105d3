"""Several nodes with GPUs, simulated: what is planned fits, nothing waits for ever, and all is given back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cluster_script.py")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "num_nodes", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)]
)
def test_what_is_planned_fits_on_the_nodes_and_all_is_given_back(num_nodes: int, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(num_nodes), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    slots = 2 * num_nodes
    assert found["planned"] == {"1": slots, "2": num_nodes}
    assert found["refit_workers"] == slots
    for workers in (1, 2):
        trials = found["trials"][str(workers)]
        assert trials["ready"] == found["planned"][str(workers)]
        assert not trials["one_more"]
        assert trials["num_nodes"] == [1] * trials["ready"]  # no trial spans nodes where it need not
    assert found["mixed_left"] == 0
    assert found["free"] == [{"CPU": 4.0 * num_nodes, "GPU": float(slots)}] * 2
    assert found["files"] == []
    assert found["seen"] == ""
    if num_nodes == 1:
        assert found["unseen"] == ""  # nobody else to ask
        return
    assert found["unseen"].startswith(f"storage: must be seen by all {num_nodes} nodes, but got {tmp_path}, which ")
    assert f"({found['blind'][:8]}) does not see. Use s3:// or gs:// with credentials" in found["unseen"]
