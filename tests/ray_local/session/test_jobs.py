"""A study as a job, on a local head: ``translearn submit`` of the whole demo, made small, and ``ray job submit``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
SMALL = [
    *("search.trials=4", "search.epochs=2", "search.grace_epochs=1", "refit.seeds=1", "refit.epochs=1"),
    *("refit.baseline_cap=1", "train.batch_size=16"),
    *("sources.0.pretrain.epochs=1", "sources.1.pretrain.epochs=1", "cluster.checkpoint_interval_s=0"),
    *("sources.0.pretrain.ingest.limit_per_class=10", "sources.1.pretrain.ingest.limit_per_class=10"),
]


def run(command: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RAY_ADDRESS": "", "RAY_AUTH_MODE": "token"}
    return subprocess.run(
        [str(BIN / command), *map(str, arguments)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_runs_as_a_job_and_its_end_is_the_commands(ray_session, tmp_path):
    where, study = ("--address", f"http://{ray_session}"), ROOT / "workflows/configs/demo.yaml"
    sets = [part for change in [*SMALL, f"storage={tmp_path / 'runs'}"] for part in ("--set", change)]
    done = run("translearn", "submit", study, *sets, *where, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Target error:" in done.stdout
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["command"], result["status"]) == ("run", "done")
    assert (tmp_path / "runs" / "demo" / "report.html").exists()
    provenance = json.loads((tmp_path / "runs" / "demo" / "provenance.json").read_text())
    assert provenance["commit"]
    assert provenance["command"].startswith("translearn run demo.yaml --set search.trials=4")

    job_id = done.stderr.split("--attach ")[1].split()[0]
    again = run("translearn", "submit", "--attach", job_id, *where, "--json", folder=tmp_path)
    assert (again.returncode, again.stdout) == (0, done.stdout)


def test_a_script_of_a_checkout_runs_as_a_job(ray_session, tmp_path):
    # As a user has it: a checkout without what git ignores.
    upload = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "runs", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, upload, ignore=ignored)
    entry = [sys.executable, "workflows/run.py", "workflows/configs/demo.yaml", "--set", "search.trials=0", "--json"]
    options = ["--address", f"http://{ray_session}", "--submission-id", "bad", "--working-dir", upload]
    done = run("ray", "job", "submit", *options, "--", *entry, folder=tmp_path)
    assert done.returncode == 1, done.stdout[-3000:]
    assert "search.trials: must be greater than or equal to 1, but got 0" in done.stdout
    attached = run("translearn", "submit", "--attach", "bad", *options[:2], folder=tmp_path)
    assert attached.returncode == 2, attached.stdout + attached.stderr
