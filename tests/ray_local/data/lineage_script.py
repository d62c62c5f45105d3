"""Runs in a process of its own, because a process has one Ray: images that were decoded on a node that is then lost.

Argument: a folder. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.cluster_utils import Cluster
from ray.experimental import get_object_locations

from translearn.cluster.data.stored import store
from translearn.cluster.each_node import nodes_with_cpus, on_each
from translearn.cluster.session import LOCAL
from translearn.data.images.decode import decode_split, select_split
from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.storage.folder import Folder

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
#: Small objects never leave the driver; these images are 18 kB each.
SIZE = 78


def node_id() -> str:
    return str(ray.get_runtime_context().get_node_id())


class Busy:
    """As a trial: its CPU is nobody else's."""

    def is_there(self) -> bool:
        return True


def hold_the_cpu() -> None:
    """Of the second node: the first one's soon goes with it."""
    busy = [ray.remote(num_cpus=1)(Busy).options(lifetime="detached").remote() for _ in nodes_with_cpus()]
    ray.get([one.is_there.remote() for one in busy])


def found(cluster: Cluster, folder: Path) -> dict[str, Any]:
    plan = plan_ingest("sklearn:digits", IngestOptions(limit_per_class=6))
    dataset = ingest(plan, Folder.open(folder / "data"), inspected(plan))
    expected = np.asarray(decode_split(dataset, "train", SIZE).images)
    first = cluster.add_node(**NODE)
    images = store(select_split(dataset, "train", SIZE))
    before = [one["node_ids"] for one in get_object_locations(list(images.parts)).values()]
    second = cluster.add_node(**NODE)
    asked = on_each(nodes_with_cpus(), node_id)
    hold_the_cpu()
    cluster.remove_node(first, allow_graceful=False)
    same = bool(np.array_equal(images[np.arange(len(expected))], expected))
    after = [one["node_ids"] for one in get_object_locations(list(images.parts)).values()]
    names = {first.node_id: "first", second.node_id: "second"}
    return {
        "same": same,
        "before": [sorted(names.get(node, "driver") for node in nodes) for nodes in before],
        "after": [sorted(names.get(node, "driver") for node in nodes) for nodes in after],
        "asked": sorted(names[node] for node in asked),
    }


def main(folder: Path) -> None:
    os.environ.update(LOCAL)
    with tempfile.TemporaryDirectory(prefix="tl") as temporary:
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "temp_dir": temporary})
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        try:
            told = found(cluster, folder)
        finally:
            ray.shutdown()
            cluster.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
