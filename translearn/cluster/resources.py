"""Who gets which CPUs and GPUs: decided once, from what the cluster has, so that nothing can wait for ever."""

from __future__ import annotations

from dataclasses import dataclass

import ray

from translearn.cluster.each_node import in_turn
from translearn.config import ClusterSpec
from translearn.errors import fault, raise_faults

#: What helps where no node that is up has any.
_NONE_UP = {
    "CPU": "Add nodes, or wait until they are up.",
    "GPU": "Use 0, or add nodes with GPUs, or wait until they are up.",
}


@dataclass(frozen=True)
class Resources:
    """How the work is laid out.

    Attributes:
        cpus: CPUs, and so torch threads, of a worker of a trial.
        gpus: GPUs of a worker of a trial; may be a fraction.
        workers_per_trial: Workers of one trial.
        concurrent_trials: Trials at once: as many as fit whole.
        refit_workers: Workers of a refit or a pre-training; of an elastic one, those that it starts with.
        refit_cpus: CPUs, and so torch threads, of each of them.
        refit_gpus: GPUs of each of them.
        refit_range: Of an elastic refit the fewest and the most workers; None where their number is fixed.
    """

    cpus: int
    gpus: float
    workers_per_trial: int
    concurrent_trials: int
    refit_workers: int
    refit_cpus: int
    refit_gpus: float
    refit_range: tuple[int, int] | None = None

    @property
    def refit_size(self) -> str:
        """The number of workers of a refit, for people."""
        if self.refit_range is None:
            return str(self.refit_workers)
        return f"{self.refit_range[0]} to {self.refit_range[1]}"


def plan_resources(spec: ClusterSpec, nodes: list[dict[str, float]] | None = None) -> Resources:
    """The layout for a cluster.

    Args:
        spec: What the study asks for.
        nodes: The resources (``CPU``, ``GPU``) of each node; those of the connected cluster when None.

    Raises:
        InputError: The cluster can not hold one trial or one refit; says which number to change.
    """
    nodes = _nodes() if nodes is None else nodes
    auto = float(any(node.get("GPU", 0) >= 1 for node in nodes))
    gpus = auto if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    raise_faults(_worker_faults(spec, nodes, gpus) or _number_faults(spec, nodes, gpus))
    refit_workers, refit_cpus = _refit(spec, nodes, gpus)
    return Resources(
        cpus=spec.cpus_per_worker,
        gpus=gpus,
        workers_per_trial=spec.workers_per_trial,
        concurrent_trials=_slots(nodes, spec.cpus_per_worker, gpus) // spec.workers_per_trial,
        refit_workers=refit_workers,
        refit_cpus=refit_cpus,
        refit_gpus=1.0 if gpus else 0.0,
        refit_range=spec.refit_workers if isinstance(spec.refit_workers, tuple) else None,
    )


def places(resources: Resources) -> list[str]:
    """The nodes of the connected cluster, in turn, each as often as a worker of a trial fits on it."""
    alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    return in_turn({name: _slots_on(has, resources.cpus, resources.gpus) for name, has in alive.items()})


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _slots(nodes: list[dict[str, float]], cpus: int, gpus: float) -> int:
    """How many workers fit; none spans two nodes."""
    return sum(_slots_on(node, cpus, gpus) for node in nodes)


def _slots_on(node: dict[str, float], cpus: int, gpus: float) -> int:
    by_cpu = int(node.get("CPU", 0) // cpus)
    if not gpus:
        return by_cpu
    num_gpus = int(node.get("GPU", 0))
    # A fraction of a GPU is one GPU's: 0.4 leaves a fifth of each unused.
    by_gpu = num_gpus * int(1 / gpus + 1e-9) if gpus < 1 else num_gpus // int(gpus)
    return min(by_cpu, by_gpu)


def _refit_room(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> int:
    """The most workers of a refit. On GPUs each has a whole one: NCCL takes no two workers on one."""
    return _slots(nodes, spec.cpus_per_worker, 1.0) if gpus else _slots(nodes, 1, 0.0)


def _refit(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> tuple[int, int]:
    """The workers of a refit at its start, and the CPUs of each."""
    if isinstance(spec.refit_workers, tuple):
        return _elastic_refit(spec, nodes, gpus, *spec.refit_workers)
    auto = _refit_room(spec, nodes, gpus) if gpus else _num_with_cpus(nodes)
    workers = auto if spec.refit_workers == "auto" else spec.refit_workers
    return workers, spec.cpus_per_worker if gpus else _refit_cpus(nodes, workers)


def _elastic_refit(
    spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float, lowest: int, highest: int
) -> tuple[int, int]:
    """Likewise, of a refit whose workers may become fewer or more, but stay of one size: Ray knows no other way."""
    if gpus:
        return min(highest, _refit_room(spec, nodes, gpus)), spec.cpus_per_worker
    cpus = _refit_cpus(nodes, min(highest, max(lowest, _num_with_cpus(nodes))))
    # Each node has room for one, so that those that are left can go on without any other.
    cpus = min(cpus, min(int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1))
    return min(highest, _slots(nodes, cpus, 0.0)), cpus


def _num_with_cpus(nodes: list[dict[str, float]]) -> int:
    return sum(node.get("CPU", 0) >= 1 for node in nodes)


def _refit_cpus(nodes: list[dict[str, float]], num_workers: int) -> int:
    """The most CPUs that each of so many workers can have at once."""
    options = range(max(int(node.get("CPU", 0)) for node in nodes), 0, -1)
    return next(cpus for cpus in options if _slots(nodes, cpus, 0.0) >= num_workers)


def _worker_faults(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> list[str]:
    faults = []
    for unit, asked in (("CPU", float(spec.cpus_per_worker)), ("GPU", gpus)):
        most = max((int(node.get(unit, 0)) for node in nodes), default=0)
        if asked > most:
            rule = f"must be at most {most}, the {unit}s of the largest node"
            remedy = "Lower it." if most else _NONE_UP[unit]
            faults.append(fault(f"cluster.{unit.lower()}s_per_worker", rule, f"{asked:g}", remedy))
    return faults


def _number_faults(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> list[str]:
    faults, cpus = [], spec.cpus_per_worker
    slots = _slots(nodes, cpus, gpus)
    if slots < spec.workers_per_trial:
        rule = f"must be at most {slots}, the workers of {cpus} CPU and {gpus:g} GPU that the cluster holds"
        faults.append(fault("cluster.workers_per_trial", rule, spec.workers_per_trial, "Lower it or add nodes."))
    return faults + _refit_faults(spec, nodes, gpus)


def _refit_faults(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> list[str]:
    """Of a range only the lowest number has to be there at the start."""
    asked, where = spec.refit_workers, "cluster.refit_workers"
    least, where = (asked[0], f"{where}.0") if isinstance(asked, tuple) else (asked, where)
    room = _refit_room(spec, nodes, gpus)
    if least == "auto" or least <= room:
        return []
    shape = f"{spec.cpus_per_worker} CPU and 1 GPU" if gpus else "1 CPU and 0 GPU"
    rule = f"must be at most {room}, the workers of {shape} that the cluster holds"
    return [fault(where, rule, least, "Lower it, or use auto.")]
