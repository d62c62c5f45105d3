"""Refits side by side: on all nodes, with the bits of one at a time, and in other places after an interruption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from refits_script import DIES_AT, EPOCHS, NODES, RUNS

from translearn.cluster.session import LOCAL

SCRIPT = Path(__file__).with_name("refits_script.py")
FIGURES = ("epoch", "train_loss", "val_loss", "val_error")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def ended(case: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # Ray reads it when it is imported. A machine with much else to do starts nodes slowly.
    paths = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **LOCAL, "RAY_raylet_start_wait_time_s": "120", "PYTHONPATH": paths}
    command = [sys.executable, str(SCRIPT), case, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=880)


def found(case: str, folder: Path) -> Any:
    done = ended(case, folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def curve(rows: list[dict[str, Any]], run: str) -> list[Any]:
    return [row[name] for row in rows if row["run"] == run for name in FIGURES]


def test_all_nodes_work_and_each_run_has_the_bits_that_it_has_alone(tmp_path: Path) -> None:
    told = found("nodes", tmp_path)
    assert told["num_nodes"] == NODES
    assert {(row["workers"], row["threads"]) for row in told["beside"]} == {(1, 1)}
    assert len(told["beside"]) == RUNS * EPOCHS
    for run in ("run-0", "run-1"):
        assert curve(told["beside"], run) == curve(told["alone"], run)
    for name in ("beside", "alone"):
        assert not (tmp_path / name / "refit" / ".ray").exists()
    weights = [(tmp_path / name / "refit/run-1/model.safetensors").read_bytes() for name in ("beside", "alone")]
    assert weights[0] == weights[1]


def test_a_command_that_goes_on_with_more_places_finds_the_state_of_each_run(tmp_path: Path) -> None:
    assert ended("dies", tmp_path / "one").returncode == 9
    assert list((tmp_path / "one").rglob("checkpoint_manager_snapshot.json"))
    again, whole = found("goes_on", tmp_path / "one"), found("goes_on", tmp_path / "two")
    assert {row["threads"] for row in [*again, *whole]} == {1}
    epochs = [row["epoch"] for row in again if row["run"] == "run-0"]
    assert epochs in ([*range(DIES_AT, EPOCHS + 1)], [*range(DIES_AT + 1, EPOCHS + 1)])
    assert curve(again, "run-1") == curve(whole, "run-1")
    assert curve(whole, "run-0")[-len(epochs) * len(FIGURES) :] == curve(again, "run-0")
