"""The layout of refits and pre-training: how many runs at once, and how many workers each.

One worker a run wastes nothing, so runs go side by side wherever there are as many of them as places. Where there are
fewer, or where some would be left over, runs of several workers may end sooner; that depends on how long a step takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from translearn.cluster.resources import Resources
from translearn.cluster.slots import most_cpus, num_with_cpus, slots
from translearn.words import plural

#: Each run at once costs the driver's node about 0.6 GB: Ray Train's controller and three processes that it starts.
MOST_AT_ONCE = 16
#: What a step of several workers costs beside its share of the work: sums of gradients and of BatchNorm's statistics.
SYNC_S, GPU_SYNC_S = 0.05, 0.01


@dataclass(frozen=True)
class Layout:
    """Runs and workers.

    Attributes:
        at_once: Runs at once.
        workers: Workers of a run; of an elastic one, those that it starts with.
        cpus: CPUs, and so torch threads, of a worker.
        gpus: GPUs of a worker.
        elastic: The fewest and the most workers of a run that follows the nodes; None where their number is fixed.
    """

    at_once: int
    workers: int
    cpus: int
    gpus: float
    elastic: tuple[int, int] | None = None

    def __str__(self) -> str:
        runs = "one at a time" if self.at_once == 1 else f"{self.at_once} at once"
        each = plural(self.cpus, "CPU") + (f" and {self.gpus:g} GPU" if self.gpus else "")
        if self.elastic:
            return f"{runs}, {self.elastic[0]} to {self.elastic[1]} workers of {each} each ({self.workers} now)"
        return f"{runs}, {plural(self.workers, 'worker')} of {each} each"

    @property
    def shape(self) -> dict[str, Any]:
        """What the bits of a run depend on, as plain data."""
        return {"workers": self.workers, "cpus": self.cpus, "gpus": self.gpus}

    def seconds(self, num_runs: int, run_s: float) -> float:
        """Return about how long so many runs take, each of ``run_s`` seconds on one worker."""
        return ceil(num_runs / self.at_once) * run_s / self.workers


def lay_out(resources: Resources, num_runs: int, step_s: Callable[[], float]) -> Layout:
    """Return the layout of so many runs.

    Args:
        resources: What the cluster has, and what the study asks for.
        num_runs: All runs of the step, those that an earlier command has done included: else a command that goes on
            would lay out the others otherwise, and give them other bits.
        step_s: Measures the seconds of a training step on one worker; is called only where the layout depends on it.
    """
    if isinstance(resources.refit_workers, tuple):
        return _elastic(resources, num_runs, *resources.refit_workers)
    workers, at_once = _counts(resources, num_runs, step_s)
    cpus = resources.cpus if resources.gpus else most_cpus(resources.nodes, at_once * workers)
    return Layout(at_once, workers, cpus, resources.whole_gpus)


def again(resources: Resources, num_runs: int, shape: Mapping[str, Any]) -> Layout | None:
    """Return a layout of the same shape as an interrupted command's; None where the cluster has no room for it."""
    if isinstance(resources.refit_workers, tuple):
        return None
    fitting = slots(resources.nodes, shape["cpus"], shape["gpus"]) // shape["workers"]
    return Layout(min(fitting, _at_most(resources, num_runs)), **shape) if fitting else None


def _at_most(resources: Resources, num_runs: int) -> int:
    return min(num_runs, MOST_AT_ONCE if resources.refits_at_once == "auto" else resources.refits_at_once)


def _counts(resources: Resources, num_runs: int, step_s: Callable[[], float]) -> tuple[int, int]:
    """Return the workers of a run, and the runs at once."""
    at_most, asked = _at_most(resources, num_runs), resources.refit_workers
    is_set = resources.refits_at_once != "auto"
    room = slots(resources.nodes, 1 if is_set and not resources.gpus else resources.cpus, resources.whole_gpus)
    if isinstance(asked, int):
        return asked, max(1, min(at_most, room // asked))
    if not resources.gpus:  # there threads are the better workers: at most one worker a node in each run
        if at_most >= num_with_cpus(resources.nodes):
            return 1, min(at_most, room)
        room = num_with_cpus(resources.nodes)
    sync_s = GPU_SYNC_S if resources.gpus else SYNC_S
    options = range(1, room // (at_most if is_set else 1) + 1)
    # Who ends first where workers cost nothing has the most workers that can be of use.
    workers = _fastest(options, num_runs, at_most, room, 0.0)
    if workers > 1:
        workers = _fastest(options, num_runs, at_most, room, sync_s / step_s())
    return workers, min(at_most, room // workers)


def _fastest(options: range, num_runs: int, at_most: int, room: int, sync: float) -> int:
    """Return the lowest number of workers with which all runs end first; ``sync`` is in steps of one worker."""

    def duration(workers: int) -> float:
        turns = ceil(num_runs / min(at_most, room // workers))
        return round(turns * (1 / workers + sync * (workers > 1)), 9)

    return min(options, key=duration)


def _elastic(resources: Resources, num_runs: int, lowest: int, highest: int) -> Layout:
    """Return the elastic layout: workers of one size (Ray Train knows no other), one run at a time unless set."""
    at_once = 1 if resources.refits_at_once == "auto" else _at_most(resources, num_runs)
    cpus = resources.cpus if resources.gpus else _elastic_cpus(resources, at_once, lowest, highest)
    room = slots(resources.nodes, cpus, resources.whole_gpus) // at_once
    if at_once > 1:  # a run that grew into another one's place would let it wait
        highest = max(lowest, min(highest, room))
    return Layout(at_once, min(highest, room), cpus, resources.whole_gpus, (lowest, highest))


def _elastic_cpus(resources: Resources, at_once: int, lowest: int, highest: int) -> int:
    nodes = resources.nodes
    cpus = most_cpus(nodes, at_once * min(highest, max(lowest, num_with_cpus(nodes) // at_once)))
    # Each node has room for one, so that those that are left can go on without any other.
    return min(cpus, min(int(node["CPU"]) for node in nodes if node["CPU"] >= 1))
