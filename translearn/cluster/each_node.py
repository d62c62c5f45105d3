"""The nodes of the cluster: work in turn on them, and a function that is called on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import NodeDiedError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

#: What Ray says of a task that was to run on a node that is lost.
GONE = (NodeDiedError, TaskUnschedulableError)


def nodes_with_cpus() -> list[dict[str, Any]]:
    """Ray's records of the nodes where work can be."""
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def in_turn(places: Mapping[str, int]) -> list[str]:
    """Yield the nodes in the order in which work is given to them, each as often as it has places.

    First comes one place of every node, then a second one of those that have two, and so on.
    """
    most = max(places.values(), default=0)
    return [node for number in range(most) for node, num in places.items() if number < num]


def on_each(
    nodes: list[dict[str, Any]], function: Callable[..., Any], *args: Any, timeout_s: float | None = None
) -> list[Any]:
    """Return the results of a function on each node; on this node it is simply called. A lost node has no result.

    Raises:
        RayError: The function failed on a node, or did not answer in time; the others were asked all the same.
    """
    here, task = ray.get_runtime_context().get_node_id(), ray.remote(num_cpus=0)(function)
    others = [node["NodeID"] for node in nodes if node["NodeID"] != here]
    pinned = [task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)) for node in others]
    refs = [one.remote(*args) for one in pinned]
    own = [function(*args)] if len(others) < len(nodes) else []
    if refs:
        ray.wait(refs, num_returns=len(refs), timeout=timeout_s)
    return own + [answer for ref in refs for answer in _answers(ref)]


def _answers(ref: Any) -> list[Any]:
    """Return a task's result; nothing where its node is lost."""
    try:
        return [ray.get(ref, timeout=0)]
    except GONE:
        return []
