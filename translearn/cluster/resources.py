"""Who gets which CPUs and GPUs: decided once, from what the cluster has, so that nothing can wait for ever."""

from __future__ import annotations

from dataclasses import dataclass

import ray

from translearn.errors import fault, raise_faults
from translearn.spec import ClusterSpec


@dataclass(frozen=True)
class Resources:
    """How the work is laid out.

    Attributes:
        cpus: CPUs, and so torch threads, of a worker of a trial.
        gpus: GPUs of a worker of a trial; may be a fraction.
        workers_per_trial: Workers of one trial.
        concurrent_trials: Trials at once: as many as fit whole.
        refit_workers: Workers of a refit or a pre-training.
        refit_cpus: CPUs, and so torch threads, of each of them.
        refit_gpus: GPUs of each of them.
    """

    cpus: int
    gpus: float
    workers_per_trial: int
    concurrent_trials: int
    refit_workers: int
    refit_cpus: int
    refit_gpus: float


def plan_resources(spec: ClusterSpec, nodes: list[dict[str, float]] | None = None) -> Resources:
    """The layout for a cluster.

    Args:
        spec: What the study asks for.
        nodes: The resources (``CPU``, ``GPU``) of each node; those of the connected cluster when None.

    Raises:
        InputError: The cluster can not hold one trial or one refit; says which number to change.
    """
    nodes = _nodes() if nodes is None else nodes
    num_gpus = int(sum(node.get("GPU", 0) for node in nodes))
    gpus = (1.0 if num_gpus else 0.0) if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    slots = sum(_slots(node, spec.cpus_per_worker, gpus) for node in nodes)
    refit_gpus = float(gpus >= 1) if gpus else 0.0
    refit_workers = _refit_workers(spec, nodes, num_gpus if refit_gpus else 0)
    refit_cpus = spec.cpus_per_worker if refit_gpus else _refit_cpus(nodes, refit_workers)
    raise_faults(_faults(spec, nodes, slots, gpus, refit_workers))
    return Resources(
        cpus=spec.cpus_per_worker,
        gpus=gpus,
        workers_per_trial=spec.workers_per_trial,
        concurrent_trials=slots // spec.workers_per_trial,
        refit_workers=refit_workers,
        refit_cpus=refit_cpus,
        refit_gpus=refit_gpus,
    )


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _slots(node: dict[str, float], cpus: int, gpus: float) -> int:
    by_cpu = int(node.get("CPU", 0) // cpus)
    return min(by_cpu, int(node.get("GPU", 0) / gpus + 1e-9)) if gpus else by_cpu


def _refit_workers(spec: ClusterSpec, nodes: list[dict[str, float]], num_gpus: int) -> int:
    if spec.refit_workers != "auto":
        return spec.refit_workers
    return num_gpus or max(1, sum(node.get("CPU", 0) >= 1 for node in nodes))


def _refit_cpus(nodes: list[dict[str, float]], num_workers: int) -> int:
    """The most CPUs that each of so many workers can have at once."""
    sizes = [int(node.get("CPU", 0)) for node in nodes]
    options = range(max(sizes, default=1), 0, -1)
    return next((cpus for cpus in options if sum(size // cpus for size in sizes) >= num_workers), 1)


def _faults(spec: ClusterSpec, nodes: list[dict[str, float]], slots: int, gpus: float, refit_workers: int) -> list[str]:
    faults = []
    most = max((int(node.get("CPU", 0)) for node in nodes), default=0)
    if spec.cpus_per_worker > most:
        rule = f"must be at most {most}, the CPUs of the largest node"
        faults.append(fault("cluster.cpus_per_worker", rule, spec.cpus_per_worker, "Lower it."))
    elif slots < spec.workers_per_trial:
        shape = f"{spec.cpus_per_worker} CPU and {gpus:g} GPU"
        rule = f"must be at most {slots}, the workers of {shape} that the cluster holds"
        faults.append(fault("cluster.workers_per_trial", rule, spec.workers_per_trial, "Lower it or add nodes."))
    room = int(sum(node.get("GPU", 0) for node in nodes)) if gpus >= 1 else sum(int(n.get("CPU", 0)) for n in nodes)
    if refit_workers > room:
        rule = f"must be at most {room}, the {'GPUs' if gpus >= 1 else 'CPUs'} of the cluster"
        faults.append(fault("cluster.refit_workers", rule, refit_workers, "Lower it, or use auto."))
    return faults
