"""What Prometheus reads from a node, and that the Grafana dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
import ray

from translearn.cluster.tracking.console import board
from translearn.cluster.tracking.metrics import show_quarantined

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]
ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    'ray_translearn_epochs_total{step="trials",study="mine"}': 3,
    'ray_translearn_runs{state="running",step="trials",study="mine"}': 1,
    'ray_translearn_runs{state="failed",step="trials",study="mine"}': 1,
    'ray_translearn_images_per_second{step="trials",study="mine"}': 40,
    'ray_translearn_quarantined_images{dataset="pets"}': 7,
}


def scraped() -> dict[str, float]:
    """Our metrics on this node's port, with their own labels only, sorted."""
    port = ray.nodes()[0]["MetricsExportPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if match := re.match(r"(ray_translearn_\w+)\{(.*)\} (\S+)$", line):
            labels = re.findall(r'((?:state|step|study|dataset)="[^"]*")', match[2])
            found[f"{match[1]}{{{','.join(sorted(labels))}}}"] = float(match[3])
    return found


@pytest.fixture(scope="module")
def metrics(ray_session):
    with board("trials", 2, 9, "mine") as shown:
        shown.update("t0", {"epoch": 1, "images_per_s": 30.0})
        shown.update("t0", {"epoch": 2, "images_per_s": 40.0})
        shown.update("t1", {"epoch": 1, "images_per_s": 20.0, "reason": "it diverged"}, "failed")
    show_quarantined("pets", 7)
    ends = time.monotonic() + 90
    while not EXPECTED.keys() <= (found := scraped()).keys() and time.monotonic() < ends:
        time.sleep(1)
    return found


def test_prometheus_reads_epochs_runs_speed_cache_and_bad_images(metrics):
    assert {name: metrics.get(name) for name in EXPECTED} == EXPECTED


def test_the_dashboard_asks_for_what_there_is(metrics):
    panels = json.loads((ROOT / "workflows" / "grafana.json").read_text())["panels"]
    asked = {name for panel in panels for name in re.findall(r"ray_translearn_\w+", panel["targets"][0]["expr"])}
    assert asked == {name.partition("{")[0] for name in EXPECTED}
