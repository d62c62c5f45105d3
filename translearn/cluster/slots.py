"""Workers that nodes have room for. A worker lies on one node, whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Nodes = Sequence[Mapping[str, float]]


def slots(nodes: Nodes, cpus: int, gpus: float) -> int:
    """Return how many workers fit.

    Args:
        nodes: The resources (``CPU``, ``GPU``) of each node.
        cpus: CPUs of a worker.
        gpus: GPUs of a worker; may be a fraction.
    """
    return sum(slots_on(node, cpus, gpus) for node in nodes)


def slots_on(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    """Return how many workers fit on one node."""
    by_cpu = int(node.get("CPU", 0) // cpus)
    if not gpus:
        return by_cpu
    num_gpus = int(node.get("GPU", 0))
    # A fraction of a GPU is one GPU's: 0.4 leaves a fifth of each unused.
    by_gpu = num_gpus * int(1 / gpus + 1e-9) if gpus < 1 else num_gpus // int(gpus)
    return min(by_cpu, by_gpu)


def num_with_cpus(nodes: Nodes) -> int:
    """Return how many nodes have a CPU to give."""
    return sum(node.get("CPU", 0) >= 1 for node in nodes)


def most_cpus(nodes: Nodes, num_workers: int) -> int:
    """Return the most CPUs that each of so many workers can have at once; one CPU each must fit."""
    options = range(max(int(node.get("CPU", 0)) for node in nodes), 0, -1)
    return next(cpus for cpus in options if slots(nodes, cpus, 0.0) >= num_workers)
