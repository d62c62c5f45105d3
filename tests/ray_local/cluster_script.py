"""Runs in a process of its own, because a process has one Ray: a simulated cluster of GPU nodes, and what it shows.

Arguments: the number of nodes, and a folder. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

from translearn.cluster.nodes_storage import check_shared
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import listen_here_only
from translearn.errors import InputError
from translearn.spec import ClusterSpec
from translearn.storage import Folder

NODE = {"num_cpus": 4, "num_gpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False}
WAIT_S = 20


def placed(workers: int, number: int) -> dict[str, Any]:
    """Trials of so many workers at once, and one more: as a lane's Ray Train asks for its workers."""
    bundles = [{"CPU": 1.0, "GPU": 1.0}] * workers
    groups = [placement_group(bundles, strategy="PACK") for _ in range(number)]
    ready = [group.wait(WAIT_S) for group in groups]
    more = placement_group(bundles, strategy="PACK")
    one_more = more.wait(1)
    tables = [placement_group_table(group)["bundles_to_node_id"].values() for group in groups]
    for group in [*groups, more]:
        remove_placement_group(group)
    return {"ready": sum(ready), "one_more": one_more, "num_nodes": sorted(len(set(table)) for table in tables)}


def mixed(num_slots: int) -> int:
    """How many trials of mixed sizes, that ask for several times what there is, never get it."""
    sizes = [1 + index % min(3, num_slots) for index in range(3 * num_slots)]
    groups = [placement_group([{"CPU": 1.0, "GPU": 1.0}] * size, strategy="PACK") for size in sizes]
    waiting, deadline = list(groups), time.monotonic() + WAIT_S
    while waiting and time.monotonic() < deadline:
        for group in [group for group in waiting if group.wait(0.05)]:
            remove_placement_group(group)
            waiting.remove(group)
    return len(waiting)


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
    """What is free, as soon as it is what is expected, and within ten seconds."""
    for _ in range(100):
        now = {unit: ray.available_resources().get(unit, 0.0) for unit in expected}
        if now == expected:
            break
        time.sleep(0.1)
    return now


def main(num_nodes: int, folder: str) -> dict[str, Any]:
    listen_here_only()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as temporary:
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": temporary})
        for _ in range(num_nodes - 1):
            cluster.add_node(**NODE)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        try:
            return found(num_nodes, Folder.open(folder).make())
        finally:
            ray.shutdown()
            cluster.shutdown()


def found(num_nodes: int, storage: Folder) -> dict[str, Any]:
    whole = {"CPU": 4.0 * num_nodes, "GPU": 2.0 * num_nodes}
    before = free(whole)
    plans = {workers: plan_resources(ClusterSpec(workers_per_trial=workers)) for workers in (1, 2)}
    trials = {workers: placed(workers, plan.concurrent_trials) for workers, plan in plans.items()}
    left = mixed(plans[1].concurrent_trials)
    blind = sorted(node["NodeID"] for node in ray.nodes())[0]
    return {
        "planned": {workers: plan.concurrent_trials for workers, plan in plans.items()},
        "refit_workers": plans[1].refit_workers,
        "trials": trials,
        "mixed_left": left,
        "free": [before, free(whole)],
        "seen": seen(storage, ""),
        "unseen": seen(storage, blind),
        "blind": blind,
        "files": storage.names(),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2])))
