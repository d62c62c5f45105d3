"""The drill itself. Its drivers are processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from translearn.drill.run import chosen

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

KEYS = {"name", "point", "lost_epochs", "equal", "orphans", "seconds"}
LONG = [fault.name for fault in chosen(None, short=False)]


def drill(*arguments: str) -> list[dict]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-m", "translearn.cli", "drill", "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    faults = json.loads(done.stdout.splitlines()[-1])["faults"]
    assert all(fault.keys() >= KEYS for fault in faults)
    assert all(fault["equal"] and not fault["orphans"] and not fault["problems"] for fault in faults)
    return faults


def test_the_short_set_loses_and_leaves_nothing() -> None:
    assert [fault["name"] for fault in drill("--short")] == ["several"]


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_fault_at_all_its_points(name: str) -> None:
    assert {fault["name"] for fault in drill("--only", name)} == {name}
