"""Runs in a process of its own, because a process has one Ray: a simulated cluster of GPU nodes, and what it shows.

What is placed is ours: the search's own Tuner with its lanes and warm groups, and Ray Train's configuration of a refit.
Only what the lanes do is played: they tell where they are.

Arguments: the number of nodes, a folder, and `short` for the least. Ends with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

# Read by Ray when it is imported. And without processes that are started in advance: 64 of them on 16 nodes.
os.environ.update({"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_prestart_worker_first_driver": "0"})

import ray
import torch
from ray import tune
from ray.cluster_utils import Cluster
from ray.train.torch import TorchConfig
from ray.tune.result import DONE
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

from translearn.cluster import lane, search, warm_run
from translearn.cluster.nodes_storage import check_shared
from translearn.cluster.resources import Resources, plan_resources
from translearn.cluster.session import _QUICK, free_port, listen_here_only
from translearn.cluster.training.group import scaling
from translearn.config import ClusterSpec
from translearn.errors import InputError
from translearn.storage.folder import Folder
from translearn.training.distributed import Team

GPUS = 2
NODE = {"num_cpus": 4, "num_gpus": GPUS, "object_store_memory": 80 * 2**20, "include_dashboard": False}
WAIT_S = 20


class Gate:
    """Lets nobody through until so many are there."""

    def __init__(self, most: int) -> None:
        self._most, self._here, self._open = most, 0, asyncio.Event()

    async def enter(self) -> None:
        """Waits for the others."""
        self._here += 1
        if self._here >= self._most:
            self._open.set()
        await self._open.wait()


def where(nodes: list[str], team: Team) -> Iterator[list[int]]:
    """How many of a trial's workers are on each node."""
    here = torch.zeros(len(nodes), dtype=torch.int64)
    here[nodes.index(ray.get_runtime_context().get_node_id())] = 1
    yield team.sum(here).tolist()


class Teller(lane.Lane):
    """A lane with its real crew, whose one heat tells where its workers are."""

    def setup(self, config: dict[str, Any], setting: Any, resources: Resources, folder: Folder) -> None:
        lane.run_heat = where
        warm_run.TorchConfig = lambda backend: TorchConfig(backend="gloo")  # these GPUs are none
        self._crew = lane._crew(f"{setting.name}-{config['lane']}", resources, folder)
        self._setting = setting

    def step(self) -> dict[str, Any]:
        (workers,) = self._crew.serve(self._setting.nodes)
        ray.get(self._setting.gate.enter.remote())
        return {DONE: True, "workers": workers}


def searched(name: str, plan: Resources, trials: int, at_once: int, storage: Folder) -> list[list[int]]:
    """For each lane of a search of so many trials, of which so many must be there at once, its workers by node."""
    gate = ray.remote(num_cpus=0)(Gate).remote(at_once)
    spec = SimpleNamespace(search=SimpleNamespace(trials=trials))
    setting = SimpleNamespace(name=name, spec=spec, nodes=sorted(node["NodeID"] for node in ray.nodes()), gate=gate)
    grid = search._tuner(setting, storage / name, plan, tune.Callback()).fit()
    (storage / name).remove()
    ray.kill(gate)
    return [result.metrics["workers"] for result in grid]


def mixed(storage: Folder) -> dict[int, list[list[int]]]:
    """Two studies at once, of trials of one worker and of two, which both believe that the cluster is theirs."""
    address = ray.get_runtime_context().gcs_address
    parts = {1: ("singles", "4"), 2: ("pairs", "2")}
    started = {
        workers: subprocess.Popen(
            [sys.executable, __file__, "study", address, str(workers), name, trials, storage.path],
            stdout=subprocess.PIPE,
            text=True,
        )
        for workers, (name, trials) in parts.items()
    }
    return {workers: json.loads(study.communicate()[0].splitlines()[-1]) for workers, study in started.items()}


def study(address: str, workers: str, name: str, trials: str, folder: str) -> list[list[int]]:
    """A study's search in a process of its own."""
    os.environ.update(_QUICK)
    ray.init(address, log_to_driver=False, logging_level="ERROR")
    search.Lane = Teller
    plan = plan_resources(ClusterSpec(workers_per_trial=int(workers)))
    return searched(name, plan, int(trials), 1, Folder.open(folder))


def refits(plan: Resources, whole: dict[str, float]) -> dict[str, Any]:
    """A refit's workers, and a second refit's beside them."""
    asked = scaling(plan.refit_workers, plan.refit_cpus, plan.refit_gpus)
    bundles = [{"CPU": 0.0, "GPU": 0.0, **asked.resources_per_worker}] * plan.refit_workers
    first, second = (placement_group(bundles, strategy=asked.placement_strategy) for _ in range(2))
    ready = [first.wait(WAIT_S), second.wait(1)]
    nodes = set(placement_group_table(first)["bundles_to_node_id"].values())
    for group in (first, second):
        remove_placement_group(group)
    free(whole)  # a lane goes to its node only if there is room at that moment
    return {"ready": ready, "num_nodes": len(nodes)}


def seen(storage: Folder, blind: str) -> str:
    """What the check of the storage says, where one node does not see it."""

    def look(folder: Folder, name: str) -> bool:
        return ray.get_runtime_context().get_node_id() != blind and folder.exists(name)

    try:
        check_shared(storage, look)
    except InputError as error:
        return str(error)
    return ""


def free(expected: dict[str, float]) -> dict[str, float]:
    """What is free, as soon as it is what is expected, and within twenty seconds."""
    for _ in range(200):
        now = {unit: ray.available_resources().get(unit, 0.0) for unit in expected}
        if now == expected:
            break
        time.sleep(0.1)
    return now


def main(num_nodes: int, folder: str, is_short: bool) -> dict[str, Any]:
    listen_here_only()
    os.environ.update(_QUICK)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as temporary:
        head = {**NODE, "temp_dir": temporary, "dashboard_port": free_port()}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(num_nodes - 1):
            cluster.add_node(**NODE)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        try:
            return found(num_nodes, Folder.open(folder).make(), is_short)
        finally:
            ray.shutdown()
            cluster.shutdown()


def found(num_nodes: int, storage: Folder, is_short: bool) -> dict[str, Any]:
    search.Lane = Teller
    whole = {"CPU": 4.0 * num_nodes, "GPU": float(GPUS * num_nodes)}
    before = free(whole)
    plans = {workers: plan_resources(ClusterSpec(workers_per_trial=workers)) for workers in (1, 2)}
    blind = sorted(node["NodeID"] for node in ray.nodes())[0]
    result = {
        "planned": {workers: plan.concurrent_trials for workers, plan in plans.items()},
        "refit_workers": plans[1].refit_workers,
        "seen": seen(storage, ""),
        "unseen": seen(storage, blind),
        "blind": blind,
        "refits": refits(plans[1], whole),
        "few": searched("few", plans[1], num_nodes, num_nodes, storage),
    }
    if not is_short:
        result["mixed"] = mixed(storage)
    if not is_short and num_nodes <= 4:  # more processes than that are too many for a small machine
        result["all"] = searched("all", plans[1], GPUS * num_nodes, GPUS * num_nodes, storage)
    return {**result, "free": [before, free(whole)], "files": storage.names()}


if __name__ == "__main__":
    if sys.argv[1] == "study":
        print(json.dumps(study(*sys.argv[2:])))
        sys.exit()
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], "short" in sys.argv)))
