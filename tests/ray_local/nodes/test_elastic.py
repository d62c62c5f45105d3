"""An elastic refit on nodes that go and come, simulated: it has as many workers as there is room for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from elastic_script import EPOCHS

from translearn.cluster.session import LOCAL

SCRIPT = Path(__file__).with_name("elastic_script.py")
FIGURES = ("train_loss", "val_loss", "val_error")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def refitted(case: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), case, str(folder / "runs")]
    # Ray reads it when it is imported. A machine with much else to do starts nodes slowly.
    paths = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **LOCAL, "RAY_raylet_start_wait_time_s": "120", "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=880)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def curve(rows: list[dict[str, Any]]) -> list[float]:
    """Figures of the last row of each epoch: what was trained again counts."""
    last = {row["epoch"]: row for row in rows}
    assert sorted(last) == list(range(1, EPOCHS + 1))
    return [last[epoch][name] for epoch in sorted(last) for name in FIGURES]


@pytest.mark.parametrize(("case", "before", "after"), [("loses", 2, 1), ("gains", 1, 2)])
def test_a_refit_goes_on_with_the_nodes_that_are_there(case: str, before: int, after: int, tmp_path: Path) -> None:
    found = refitted(case, tmp_path)
    workers = {row["epoch"]: row["workers"] for row in found["elastic"]}
    assert workers[1] == before
    assert workers[EPOCHS] == after
    # Nothing that was checkpointed is trained again: only the epoch at hand, and one whose report was in flight.
    assert len(found["elastic"]) <= EPOCHS + 2
    assert curve(found["elastic"]) == pytest.approx(curve(found["plain"]), abs=1e-3)
