"""Several nodes with GPUs, simulated: what is planned fits, nothing waits for ever, and all is given back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("cluster_script.py")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]


def shown(num_nodes: int, folder: Path, *more: str) -> dict[str, Any]:
    """What the script shows of a cluster of so many nodes."""
    command = [sys.executable, str(SCRIPT), str(num_nodes), str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1780)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(found: dict[str, Any], num_nodes: int, folder: Path) -> None:
    slots = 2 * num_nodes
    assert found["planned"] == {"1": slots, "2": num_nodes}
    assert found["refit_workers"] == slots
    assert found["refits"] == {"ready": [True, False], "num_nodes": num_nodes}
    # Fewer trials than there are places are spread: one on each node.
    assert sorted(found["few"]) == sorted(
        [int(index == lane) for index in range(num_nodes)] for lane in range(num_nodes)
    )
    assert found["free"] == [{"CPU": 4.0 * num_nodes, "GPU": float(slots)}] * 2
    assert found["files"] == []
    assert found["seen"] == ""
    if num_nodes == 1:
        assert found["unseen"] == ""  # nobody else to ask
        return
    assert found["unseen"].startswith(f"storage: must be seen by all {num_nodes} nodes, but got {folder}, which ")
    assert f"({found['blind'][:8]}) does not see. Use s3:// or gs:// with credentials" in found["unseen"]


def test_what_is_planned_fits_on_two_nodes_and_all_is_given_back(tmp_path: Path) -> None:
    check(shown(2, tmp_path, "short"), 2, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("num_nodes", [1, 2, 4, 8, 16])
def test_all_places_are_filled_and_studies_of_several_sizes_of_trial_end(num_nodes: int, tmp_path: Path) -> None:
    found = shown(num_nodes, tmp_path)
    check(found, num_nodes, tmp_path)
    if num_nodes <= 4:
        assert [sum(workers) for workers in zip(*found["all"], strict=True)] == [2] * num_nodes
    singles, pairs = found["mixed"]["1"], found["mixed"]["2"]
    assert [sum(workers) for workers in singles] == [1] * min(4, 2 * num_nodes)
    assert [sum(workers) for workers in pairs] == [2] * min(2, num_nodes)
    if num_nodes >= 4:  # there is room beside the others: no trial spans nodes where it need not
        assert [max(workers) for workers in pairs] == [2, 2]
