"""A cluster of several nodes on this machine, reachable from it alone: what the drill breaks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from translearn.cluster.session import environment, free_port, listen_here_only, own_address, told_address

_NODE = {
    "num_cpus": 1,
    "object_store_memory": 100 * 2**20,
    "include_dashboard": False,
    "node_ip_address": "127.0.0.1",
}
#: How soon a node that is silent is taken for dead, and the head by drivers.
_SYSTEM = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
    "gcs_rpc_server_reconnect_timeout_s": 10,
}
#: Actors that Ray itself leaves, as long as the cluster is there.
_OF_RAY = ("_AutoscalingCoordinatorActor", "AutoscalingRequester", "_StatsActor")


class SimulatedCluster:
    """A head, which is there for drivers alone, and nodes of one CPU each, as processes of this machine.

    Where ``RAY_AUTH_MODE`` and ``RAY_AUTH_TOKEN`` were set before ray was imported, it asks for the token.

    Args:
        folder: For Ray's own files; its path must be short.
        num_nodes: The head included.
    """

    def __init__(self, folder: Path, num_nodes: int = 3) -> None:
        listen_here_only()  # the nodes' processes inherit it
        self._folder, self._num_nodes = folder, num_nodes
        self._cluster = self._started()
        self.mend()

    @property
    def address(self) -> str:
        """Where drivers connect."""
        return str(self._cluster.address)

    def node_of(self, pid: int) -> Any:
        """The node that a worker process belongs to: its parent is the node's raylet. A driver's: one without it."""
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        return next((node for node in self._nodes if _raylet(node) == parent), self._nodes[-1])

    def add(self) -> None:
        """One more node."""
        with environment(told_address(self.address)):
            self._cluster.add_node(**_NODE)

    def remove(self, node: Any) -> None:
        """Kills all processes of a node that is not the head."""
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        """Kills the head, and with it what needs it: the other nodes."""
        if self._cluster.head_node is not None:
            self._cluster.remove_node(self._cluster.head_node, allow_graceful=False)
        for node in list(self._cluster.worker_nodes):
            self._cluster.remove_node(node, allow_graceful=False)

    def mend(self) -> None:
        """Brings back what was killed."""
        if self._cluster.head_node is None:
            self._cluster = self._started()
        while len(self._nodes) < self._num_nodes:
            self.add()

    def renew(self) -> None:
        """Makes it new where something may be wrong with it; what cannot be is left to the next ``mend``."""
        with suppress(Exception):
            self.kill_head()
            self.mend()

    def end(self) -> None:
        """Ends all nodes."""
        self._cluster.shutdown()

    def leftovers(self) -> list[str]:
        """Actors that live, and placement groups that are held."""
        state = self._cluster.global_state
        actors = [actor for actor in state.actor_table(None).values() if actor["State"] != "DEAD"]
        groups = state.placement_group_table().values()
        return [f"actor {actor['ActorClassName']}" for actor in actors if actor["ActorClassName"] not in _OF_RAY] + [
            f"placement group {group['placement_group_id']}" for group in groups if group["state"] != "REMOVED"
        ]

    @property
    def _nodes(self) -> list[Any]:
        return [self._cluster.head_node, *self._cluster.worker_nodes]

    def _started(self) -> Cluster:
        """The head, alone. Its dashboard answers what Ray's own actors ask before they end."""
        head = {
            **_NODE,
            "num_cpus": 0,
            "include_dashboard": True,
            "dashboard_port": free_port(),
            "temp_dir": str(self._folder),
            "_system_config": _SYSTEM,
        }
        with environment(own_address()):
            return Cluster(initialize_head=True, head_node_args=head)


def hook_workers(hook: Callable[[], None]) -> None:
    """From now on, what connects this process to Ray has each of its workers call ``hook`` first."""
    init = ray.init

    def init_with_hook(*args: Any, runtime_env: dict[str, Any] | None = None, **options: Any) -> Any:
        return init(*args, runtime_env={**(runtime_env or {}), "worker_process_setup_hook": hook}, **options)

    ray.init = init_with_hook


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)
