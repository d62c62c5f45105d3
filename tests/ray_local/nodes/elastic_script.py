"""Runs in a process of its own, because a process has one Ray: an elastic refit on nodes that go and come.

Arguments: ``loses`` or ``gains``, and a folder. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ray.util.state import list_actors
from simulated_cluster import SimulatedCluster

from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import session
from translearn.cluster.training import group
from translearn.cluster.training.runs import train_jobs
from translearn.cluster.training.worker import Job
from translearn.config import ClusterSpec, TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import scratch
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

EPOCHS = 12
TRAIN = TrainSpec(batch_size=16, precision="fp32", compile="never")
CONFIG = TrainConfig(0, 0.01, EPOCHS, 0, TRAIN)
PATIENCE_S = 120


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


def refit(out: Folder, refit_workers: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the rows of a refit's epochs, those before a change of nodes perhaps twice; return them."""
    task = share(Task(images(60, 0), images(30, 1), 2, {"scratch": scratch("resnet18")}))
    resources = plan_resources(ClusterSpec(refit_workers=refit_workers))
    train_jobs([Job("run", task, "scratch", CONFIG)], out, resources, on_epoch=[rows.append])
    return rows


def change(case: str, rows: list[dict[str, Any]], cluster: SimulatedCluster) -> None:
    """After the first epoch, stop the workers while the node of one of them is killed, or a node joins."""
    deadline = time.monotonic() + PATIENCE_S
    while not rows and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = [("class_name", "=", "RayTrainWorker"), ("state", "=", "ALIVE")]
    workers = [int(actor.pid) for actor in list_actors(cluster.address(), filters=alive)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    if case == "loses":
        cluster.kill_node_of(workers.pop())
    else:
        cluster.add_node()
    for pid in workers:
        os.kill(pid, signal.SIGCONT)


def main(case: str, folder: Path) -> dict[str, Any]:
    group.RESIZE_INTERVAL_S = 1.0
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as temporary:
        cluster = SimulatedCluster(Path(temporary), num_nodes=3 if case == "loses" else 2)
        try:
            with session(cluster.address()), ThreadPoolExecutor(1) as pool:
                plain = refit(Folder.open(folder / "plain").make(), "auto", [])
                rows: list[dict[str, Any]] = []
                running = pool.submit(refit, Folder.open(folder / "elastic").make(), (1, 2), rows)
                change(case, rows, cluster)  # in the main thread, where alone Ray can start nodes
                elastic = running.result()
        finally:
            cluster.end()
    return {"plain": plain, "elastic": elastic}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
