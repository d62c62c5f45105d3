"""Runs in a process of its own, because a process has one Ray: refits side by side. Ends with one line of JSON.

Arguments: a case and a folder. ``nodes``: on four simulated nodes, and then one at a time. ``dies``: on one CPU; ends
itself in the middle. ``goes_on``: on two CPUs, what ``dies`` has left in the same folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
from simulated_cluster import SimulatedCluster

from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import session
from translearn.cluster.training.runs import train_jobs
from translearn.cluster.training.worker import Job
from translearn.config import ClusterSpec, TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.model_info import ModelInfo
from translearn.models.preprocessing import Preprocessing
from translearn.models.sources import scratch
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

NODES, RUNS, EPOCHS, DIES_AT = 4, 6, 3, 2
TRAIN = TrainSpec(batch_size=16, precision="fp32", compile="never")
INFO = ModelInfo(
    arch="resnet18",
    classes=("dark", "light"),
    preprocessing=Preprocessing(image_size=32, mean=(0.0,) * 3, std=(1.0,) * 3),
)
Row = dict[str, Any]


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


def refit(out: Folder, num_runs: int, follow: Callable[[Row], None], **asked: Any) -> list[Row]:
    """The rows of the epochs of refits with different seeds; loop state is kept after each epoch."""
    task = share(Task(images(60, 0), images(30, 1), 2, {"scratch": scratch("resnet18")}))
    jobs = [
        Job(f"run-{seed}", task, "scratch", TrainConfig(0, 0.01, EPOCHS, seed, TRAIN), INFO) for seed in range(num_runs)
    ]
    rows: list[Row] = []
    train_jobs(jobs, out, plan_resources(ClusterSpec(**asked)), on_epoch=[rows.append, follow])
    return rows


def workers_nodes() -> dict[int, str]:
    """The node of each of Ray Train's workers, by process."""
    actors = ray._private.state.actors().values()
    return {actor["Pid"]: actor["Address"]["NodeID"] for actor in actors if actor["ActorClassName"] == "RayTrainWorker"}


def told_by(logs: Path, study: str) -> set[int]:
    """The processes that told of an epoch."""
    lines = [line for file in logs.glob("worker-*.out") for line in file.read_text().splitlines() if line[:1] == "{"]
    return {row["pid"] for row in map(json.loads, lines) if (row["study"], row["event"]) == (study, "epoch")}


def nodes(folder: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as temporary:
        cluster = SimulatedCluster(Path(temporary), num_nodes=1 + NODES)
        try:
            with session(cluster.address()):
                seen: dict[int, str] = {}
                beside = refit(
                    Folder.open(folder / "beside/refit").make(), RUNS, lambda _: seen.update(workers_nodes())
                )
                logs = Path(ray._private.worker._global_node.get_logs_dir_path())
                at_work = {seen[pid] for pid in told_by(logs, "beside")}
                alone = refit(
                    Folder.open(folder / "alone/refit").make(), 2, lambda _: None, refit_workers=1, refits_at_once=1
                )
        finally:
            cluster.end()
    return {"beside": beside, "alone": alone, "num_nodes": len(at_work)}


def local(folder: Path, num_cpus: int, follow: Callable[[Row], None]) -> list[Row]:
    with session("local", num_cpus=num_cpus):
        return refit(Folder.open(folder / "refit").make(), 2, follow)


def die(row: Row) -> None:
    """Ends this process, without a word, as soon as Ray Train has kept the state of an epoch before."""
    if (row["run"], row["epoch"]) == ("run-0", DIES_AT):
        os._exit(9)


if __name__ == "__main__":
    case, where = sys.argv[1], Path(sys.argv[2])
    cases: dict[str, Callable[[], Any]] = {
        "nodes": lambda: nodes(where),
        "dies": lambda: local(where, 1, die),
        "goes_on": lambda: local(where, 2, lambda _: None),
    }
    print(json.dumps(cases[case]()))
