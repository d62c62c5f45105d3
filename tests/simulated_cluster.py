"""A Ray cluster of several nodes on this machine, which only this machine can reach. Tests kill parts of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster
from ray.util.state import list_actors, list_placement_groups

from translearn.cluster.session import environment, free_port, listen_here_only, own_address, told_address

_NODE = {
    "num_cpus": 1,
    "object_store_memory": 100 * 2**20,
    "include_dashboard": False,
    "node_ip_address": "127.0.0.1",
}
#: Seconds until a silent node is declared dead, and until a driver gives up a silent head.
_SYSTEM = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
    "gcs_rpc_server_reconnect_timeout_s": 10,
}
#: Actors of Ray's own, which live as long as the cluster.
_OF_RAY = ("_AutoscalingCoordinatorActor", "AutoscalingRequester", "_StatsActor")


class SimulatedCluster:
    """A head without CPUs, for drivers, and nodes of one CPU each, as processes of this machine.

    The cluster asks for a token where ``RAY_AUTH_MODE`` and ``RAY_AUTH_TOKEN`` were set before ray was imported.
    Ray starts nodes only in the main thread of a process.
    """

    def __init__(self, folder: Path, num_nodes: int = 3) -> None:
        """Start the cluster; Ray's files go into ``folder``, whose path must be short. Nodes include the head."""
        listen_here_only()  # the processes of the nodes inherit the variable
        self._folder, self._num_nodes = folder, num_nodes
        self._cluster = self._started()
        self.mend()

    def address(self) -> str:
        """Return the address for drivers."""
        return str(self._cluster.address)

    def add_node(self) -> None:
        """Add a node."""
        with environment(told_address(self.address())):
            self._cluster.add_node(**_NODE)

    def kill_node_of(self, pid: int) -> None:
        """Kill all processes of the node of a worker process. The parent of a worker is its node's raylet."""
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        node = next(node for node in self._cluster.worker_nodes if _raylet(node) == parent)
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        """Kill the head, and the other nodes, which cannot do without."""
        for node in [self._cluster.head_node, *self._cluster.worker_nodes]:
            self._cluster.remove_node(node, allow_graceful=False)

    def mend(self) -> None:
        """Start again whatever was killed."""
        if self._cluster.head_node is None:
            self._cluster = self._started()
        while len(self._cluster.worker_nodes) < self._num_nodes - 1:
            self.add_node()

    def end(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()

    def leftovers(self) -> list[str]:
        """Return the actors that live and the placement groups that exist, a line each."""
        actors = list_actors(self.address(), filters=[("state", "!=", "DEAD")], limit=1000)
        groups = list_placement_groups(self.address(), filters=[("state", "!=", "REMOVED")], limit=1000)
        return [f"actor {actor.class_name}" for actor in actors if actor.class_name not in _OF_RAY] + [
            f"placement group {group.placement_group_id}" for group in groups
        ]

    def _started(self) -> Cluster:
        """Start the head alone. Its dashboard answers the state API, and actors of Ray that ask it before they end."""
        head = {
            **_NODE,
            "num_cpus": 0,
            "include_dashboard": True,
            "dashboard_port": free_port(),
            "dashboard_agent_listen_port": 0,
            "temp_dir": str(self._folder),
            "_system_config": _SYSTEM,
        }
        with environment(own_address()):
            return Cluster(initialize_head=True, head_node_args=head)


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)
