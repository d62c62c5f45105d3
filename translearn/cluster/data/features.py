"""Probe features of a search's sources: computed once each, kept in the object store, read by trials.

Trials that train only the head on images without augmentation read them. Other trials need none.
"""

from __future__ import annotations

from dataclasses import replace

import ray
import torch

from translearn.cluster.data.shared import Shared, Task, fetch, laid_out, share, viewed
from translearn.cluster.resources import Resources
from translearn.config import StudySpec
from translearn.models.backbones.stages import freeze_depths, num_stages
from translearn.models.sources import Source, initial_network
from translearn.training.distributed import DistributedContext
from translearn.training.features import ProbeFeatures, probe_features
from translearn.training.precision import prepare_process, resolve_precision

_WAIT_S = 60.0


def with_features(task: Task, spec: StudySpec, resources: Resources) -> Task:
    """Return the task with references to the probe features of its sources, which Ray now computes.

    Each source has a Ray task with the resources of a trial's worker, so that its bits are those that the trial itself
    would compute. The features of a lost node are computed again.

    Args:
        task: Target data and sources.
        spec: The study. Where it augments images at random, or never trains the head alone, the task stays as it is.
        resources: The layout.
    """
    names = [name for name, source in task.sources.items() if _has_probes(source, spec)]
    if not names:
        return task
    shared = share(task)
    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(_compute)
    return replace(task, features={name: remote.remote(shared, name, spec, resources) for name in names})


def features_of(task: Task, source: str) -> ProbeFeatures | None:
    """Return the probe features of a source, read-only views of the object store; wait for them.

    A trial that reads no features should not ask. None where the source has none, and where they do not come: the trial
    then computes the same bits itself. So trials that hold all CPUs never wait for a task that has none.
    """
    if source not in task.features:
        return None
    try:
        return ProbeFeatures(*viewed(ray.get(task.features[source], timeout=_WAIT_S)))
    except ray.exceptions.RayError:
        return None


def _has_probes(source: Source, spec: StudySpec) -> bool:
    return (
        source.kind != "scratch"
        and not spec.train.changes_images
        and num_stages(source.arch) in freeze_depths(spec.search, source.arch)
    )


def _compute(shared: Shared, name: str, spec: StudySpec, resources: Resources) -> list[object]:
    prepare_process(resources.cpus)
    context = DistributedContext(device=torch.device("cuda" if resources.gpus else "cpu"))
    task = fetch(shared)
    network, _ = initial_network(task.sources[name], task.num_classes, spec.seed, task.train.image_size)
    context.adopt(network)
    precision = resolve_precision(spec.train.precision, context.device)
    found = [probe_features(network, split, precision, context) for split in (task.train, task.val)]
    laid: list[object] = laid_out(found)
    return laid
