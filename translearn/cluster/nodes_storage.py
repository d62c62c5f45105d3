"""A check that every node sees the storage: on the disk of a single node it would lose what other nodes write."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from translearn.cluster.each_node import GONE
from translearn.errors import InputError, fault
from translearn.storage.folder import Folder

_ANSWER_S = 120.0
_REMEDY = "Use s3:// or gs:// with credentials on every node, or a folder that all nodes mount at the same path."


def check_shared(storage: Folder, look: Callable[[Folder, str], bool] = Folder.exists) -> None:
    """Write a file into the storage, and have every node of the cluster look for it; the file is deleted again.

    On a cluster of one node nothing is done.

    Args:
        storage: A folder that exists.
        look: Whether a file is in a folder; runs on each node.

    Raises:
        InputError: Names the nodes that do not see it.
    """
    nodes = {node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})" for node in _alive()}
    if len(nodes) < 2:
        return
    marker = f".translearn-{uuid.uuid4().hex[:8]}"
    storage.write_bytes(marker, b"")
    try:
        asked = {name: _sees.options(**_on(node)).remote(storage, marker, look) for node, name in nodes.items()}
        blind = [f"{name} {why}" for name, answer in asked.items() if (why := _blindness(answer))]
    finally:
        storage.remove_file(marker)
    if blind:
        rule = f"must be seen by all {len(nodes)} nodes"
        raise InputError(fault("storage", rule, f"{storage.uri}, which {', '.join(sorted(blind))}", _REMEDY))


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


@ray.remote(num_cpus=0)
def _sees(storage: Folder, marker: str, look: Callable[[Folder, str], bool]) -> bool:
    return look(storage, marker)


def _on(node: str) -> dict[str, Any]:
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def _blindness(answer: Any) -> str:
    """Return what a node cannot do; empty where it sees the file."""
    try:
        return "" if ray.get(answer, timeout=_ANSWER_S) else "does not see"
    except GONE:
        return ""  # lost meanwhile: nothing will run there
    except ray.exceptions.RayTaskError as error:
        return f"can not reach ({error.cause})"
    except ray.exceptions.RayError as error:
        return f"does not answer for ({type(error).__name__})"
