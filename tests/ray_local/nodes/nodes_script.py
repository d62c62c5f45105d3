"""Runs in a process of its own, because a process has one Ray: a search on simulated nodes of one CPU each.

Arguments: the number of nodes, a folder, and ``grow`` where one more node joins while the search runs. Ends with one
line of JSON: the node of each trial, the nodes in the order in which they joined, whether all CPUs came back, and what
the check of the storage says with and without a node that does not see it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray
from simulated_cluster import SimulatedCluster

from translearn.cluster.data.shared import Task
from translearn.cluster.nodes_storage import check_shared
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import session
from translearn.cluster.tuning.tuner import run_search
from translearn.config import StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.errors import InputError
from translearn.models.sources import scratch
from translearn.storage.folder import Folder


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


def study(folder: Path, trials: int, epochs: int) -> StudySpec:
    return parse_spec(
        {
            "name": "nodes",
            "storage": str(folder),
            "target": {"data": "x", "image_size": 32},
            "sources": [{"name": "a", "arch": "resnet18", "checkpoint": "x.pt"}],
            "search": {"trials": trials, "epochs": epochs, "scheduler": "none", "sampler": "random"},
            "train": {"batch_size": 10, "precision": "fp32"},
        }
    )


def nodes_of_actors() -> dict[int, str]:
    """The node of each actor, by process."""
    return {actor["Pid"]: actor["Address"]["NodeID"] for actor in ray._private.state.actors().values()}


def await_actors(nodes: list[str]) -> None:
    """Wait at most a minute until each node has an actor: without it one of them could do all short trials."""
    deadline = time.monotonic() + 60
    while not set(nodes) <= set(nodes_of_actors().values()) and time.monotonic() < deadline:
        time.sleep(0.2)


def nodes_up() -> list[str]:
    return [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def searched(cluster: SimulatedCluster, folder: Path, num_nodes: int, grows: bool) -> dict[str, Any]:
    """Run four trials a node; one more node joins after the first epoch."""
    joined, of_trial = nodes_up(), dict[str, str]()

    def follow(run: str, config: Any, result: Mapping[str, Any], is_over: bool) -> None:
        if grows and len(joined) == num_nodes:
            cluster.add_node()
            joined.extend(node for node in nodes_up() if node not in joined)
        elif grows:
            time.sleep(0.5)  # an actor on the new node takes longer to start than such trials to end
        elif not of_trial:
            await_actors(joined)
        of_trial.setdefault(run, nodes_of_actors().get(result["pid"], ""))

    spec = study(folder, 4 * num_nodes + 4 * grows, 6 if grows else 2)
    task = Task(images(60, 0), images(30, 1), 2, {"scratch": scratch("resnet18")})
    plan = plan_resources(spec.cluster)
    run_search(spec, task, Folder.open(folder).make(), plan, on_result=follow)
    return {"at_once": plan.concurrent_trials, "nodes": list(of_trial.values()), "joined": joined}


def seen(storage: Folder, blind: str) -> str:
    """The fault of the check of the storage, where one node does not see it."""

    def look(folder: Folder, name: str) -> bool:
        return ray.get_runtime_context().get_node_id() != blind and folder.exists(name)

    try:
        check_shared(storage, look)
    except InputError as error:
        return str(error)
    return ""


def free() -> bool:
    """Whether all CPUs are free, as soon as they are, and within twenty seconds."""
    for _ in range(200):
        if ray.available_resources().get("CPU") == ray.cluster_resources().get("CPU"):
            return True
        time.sleep(0.1)
    return False


def main(num_nodes: int, folder: Path, grows: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as temporary:
        cluster = SimulatedCluster(Path(temporary), num_nodes=1 + num_nodes)
        try:
            with session(cluster.address()):
                blind = nodes_up()[0]
                storage = Folder.open(folder)
                told = {"blind": blind, "seen": seen(storage, ""), "unseen": seen(storage, blind)}
                return {**told, **searched(cluster, folder / "study", num_nodes, grows), "free": free()}
        finally:
            cluster.end()


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), "grow" in sys.argv)))
