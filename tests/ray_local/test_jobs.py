"""``ray job submit`` of the whole demo, made small, against a local head."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("search.trials=4", "search.epochs=2", "search.grace_epochs=1", "refit.seeds=1", "refit.epochs=1"),
    *("sources.0.pretrain.epochs=1", "sources.1.pretrain.epochs=1", "cluster.checkpoint_interval_s=0"),
    *("sources.0.pretrain.ingest.limit_per_class=10", "sources.1.pretrain.ingest.limit_per_class=10"),
]


def test_the_demo_runs_as_a_job(ray_session, tmp_path):
    import ray

    # As a user has it: a checkout without what git ignores.
    upload = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "runs", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, upload, ignore=ignored)
    sets = [part for change in [*SMALL, f"storage={tmp_path / 'runs'}"] for part in ("--set", change)]
    entry = [sys.executable, "workflows/run.py", "workflows/configs/demo.yaml", *sets, "--json"]
    command = [str(Path(sys.executable).with_name("ray")), "job", "submit", "--address", f"http://{ray_session}"]
    environment = {**os.environ, "RAY_ADDRESS": "", "RAY_AUTH_MODE": "token"}
    done = subprocess.run(
        [*command, "--working-dir", str(upload), "--", *entry],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ray.is_initialized()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Target error:" in done.stdout
    assert (tmp_path / "runs" / "demo" / "report.html").exists()
