"""The cost of architectures, measured on a node where trials can run."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from translearn.cluster.resources import Resources
from translearn.cluster.tracking.progress import followed
from translearn.models.cost import Cost, measure


def measured_costs(archs: Sequence[str], num_classes: int, image_size: int, resources: Resources) -> list[Cost]:
    """Measure the cost of architectures, one after the other: they would slow each other.

    Args:
        archs: The architectures.
        num_classes, image_size: As of ``models.cost.measure``.
        resources: The layout; speed is measured on a GPU too where a worker has one.
    """
    task = ray.remote(num_cpus=1, num_gpus=resources.whole_gpus)(measure)
    has_gpu = bool(resources.gpus)
    found = ([ray.get(task.remote(arch, num_classes, image_size, has_gpu))] for arch in archs)
    return [cost for part in followed(found, len(archs), "architectures measured") for cost in part]
