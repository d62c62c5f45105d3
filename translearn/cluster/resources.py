"""CPUs and GPUs of trials and refits: decided once, from what the cluster has, so that nothing waits for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import ray

from translearn.cluster.slots import slots
from translearn.config import ClusterSpec
from translearn.errors import fault, raise_faults

#: What helps where no node that is up has any.
_NONE_UP = {
    "CPU": "Add nodes, or wait until they are up.",
    "GPU": "Use 0, or add nodes with GPUs, or wait until they are up.",
}


@dataclass(frozen=True)
class Resources:
    """The nodes, and the CPUs and GPUs of a worker.

    Attributes:
        cpus: CPUs, and so torch threads, of a worker of a trial.
        gpus: GPUs of a worker of a trial; may be a fraction.
        workers_per_trial: Workers of one trial.
        concurrent_trials: Trials at once: as many as fit whole.
        nodes: CPUs and GPUs of each node, from which refits and pre-training are laid out (``training.layout``).
        refit_workers: Workers of such a run: ``auto``, a number, or the fewest and the most of an elastic run.
        refits_at_once: Such runs at once: ``auto`` or a number.
    """

    cpus: int
    gpus: float
    workers_per_trial: int
    concurrent_trials: int
    nodes: tuple[dict[str, float], ...] = ({"CPU": 1.0},)
    refit_workers: Literal["auto"] | int | tuple[int, int] = "auto"
    refits_at_once: Literal["auto"] | int = "auto"

    @property
    def whole_gpus(self) -> float:
        """GPUs of a worker outside trials: NCCL takes no two workers on one."""
        return 1.0 if self.gpus else 0.0


def plan_resources(spec: ClusterSpec, nodes: list[dict[str, float]] | None = None) -> Resources:
    """Return what a study may use of a cluster.

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
    return Resources(
        cpus=spec.cpus_per_worker,
        gpus=gpus,
        workers_per_trial=spec.workers_per_trial,
        concurrent_trials=slots(nodes, spec.cpus_per_worker, gpus) // spec.workers_per_trial,
        nodes=tuple({unit: node.get(unit, 0.0) for unit in ("CPU", "GPU")} for node in nodes),
        refit_workers=spec.refit_workers,
        refits_at_once=spec.refits_at_once,
    )


def with_nodes_of_now(resources: Resources) -> Resources:
    """Return the resources with the nodes that are up now; with those of before where they are not enough."""
    nodes = tuple({unit: node.get(unit, 0.0) for unit in ("CPU", "GPU")} for node in _nodes())
    fit = slots(nodes, resources.cpus, resources.gpus) >= resources.workers_per_trial
    return replace(resources, nodes=nodes) if fit else resources


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


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
    fitting = slots(nodes, cpus, gpus)
    if fitting < spec.workers_per_trial:
        rule = f"must be at most {fitting}, the workers of {cpus} CPU and {gpus:g} GPU that the cluster holds"
        faults.append(fault("cluster.workers_per_trial", rule, spec.workers_per_trial, "Lower it or add nodes."))
    return faults + _refit_faults(spec, nodes, gpus)


def _refit_faults(spec: ClusterSpec, nodes: list[dict[str, float]], gpus: float) -> list[str]:
    """Return the faults of a range: only its lowest number has to be there at the start."""
    asked, where = spec.refit_workers, "cluster.refit_workers"
    least, where = (asked[0], f"{where}.0") if isinstance(asked, tuple) else (asked, where)
    workers = 1 if least == "auto" else least
    room = slots(nodes, spec.cpus_per_worker, 1.0) if gpus else slots(nodes, 1, 0.0)
    shape = f"{spec.cpus_per_worker} CPU and 1 GPU" if gpus else "1 CPU and 0 GPU"
    if least != "auto" and workers > room:
        rule = f"must be at most {room}, the workers of {shape} that the cluster holds"
        return [fault(where, rule, workers, "Lower it, or use auto.")]
    if spec.refits_at_once == "auto" or spec.refits_at_once * workers <= room:
        return []
    each = "1 worker" if workers == 1 else f"{workers} workers"
    rule = f"must be at most {room // workers}, the runs of {each} of {shape} that the cluster holds"
    return [fault("cluster.refits_at_once", rule, spec.refits_at_once, "Lower it, or use auto.")]
