"""Groups of workers: what Ray Train is told of their number, and what people are told where it follows the nodes.

An elastic group has as many workers, within a range, as the nodes hold; Ray Train looks every 20 s what there is.
Where one was lost, and where others came, it ends all workers, and starts others from the last checkpoint.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import ray.train

from translearn.cluster.session import quick_starts
from translearn.cluster.tracking.console import say
from translearn.cluster.training.layout import Layout
from translearn.words import plural

MAX_FAILURES = 3
#: How often Ray Train may start more workers. Each time costs a start, and the epochs since the last checkpoint.
RESIZE_INTERVAL_S = 60.0
# After a loss Ray Train may ask twice for workers on the node that was lost, until it has looked again.
_STARTS_PER_LOSS = 3


def scaling(num_workers: int | tuple[int, int], cpus: float, gpus: float) -> ray.train.ScalingConfig:
    """Ray's configuration of so many workers, or of a range, near each other, each with so many CPUs and GPUs."""
    return ray.train.ScalingConfig(
        num_workers=num_workers,
        use_gpu=gpus > 0,
        resources_per_worker={"CPU": float(cpus), **({"GPU": gpus} if gpus else {})},
        elastic_resize_monitor_interval_s=RESIZE_INTERVAL_S,
    )


def layout_scaling(layout: Layout, spare_cpus: bool = False) -> ray.train.ScalingConfig:
    """Return Ray's configuration of a group; with ``spare_cpus`` the workers ask for half of their CPUs."""
    return scaling(layout.elastic or layout.workers, layout.cpus / 2 if spare_cpus else layout.cpus, layout.gpus)


def failures(layout: Layout) -> ray.train.FailureConfig:
    """Return how often workers may be lost. Growing costs nothing of that; a lost node is a failure as any other."""
    num_starts = MAX_FAILURES * (_STARTS_PER_LOSS if layout.elastic else 1)
    return ray.train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=num_starts)


def starts(layout: Layout) -> AbstractContextManager[None]:
    """Set how long Ray Train waits for workers, as long as the block runs."""
    return quick_starts() if layout.elastic else nullcontext()


class Size:
    """The number of workers of an elastic run, told each time that it changes."""

    def __init__(self, layout: Layout) -> None:
        self._layout, self._num = layout, 0

    def take(self, row: dict[str, Any]) -> None:
        """Take a row of a first worker. Of several runs at once nothing is told: their numbers would mix."""
        elastic, num = self._layout.elastic, row.get("workers", self._num)
        if elastic and self._layout.at_once == 1 and num != self._num:
            self._num = num
            say(f"training on {plural(num, 'worker')}, of at most {elastic[1]}")
