"""The time of a training step, measured on a worker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import ray
import torch

from translearn.cluster.data.shared import fetch
from translearn.cluster.resources import Resources
from translearn.cluster.training.worker import Job
from translearn.models.sources import initial_network
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

_STEPS = 3


def step_seconds(job: Job, resources: Resources) -> float:
    """Return the seconds of a step of a job on one worker, with the CPUs of a trial's and a whole GPU if any.

    Three steps are measured, after as many that are not; nothing is compiled.
    """
    measure = ray.remote(num_cpus=resources.cpus, num_gpus=resources.whole_gpus)(_measure)
    return float(ray.get(measure.remote(job, resources)))


def _measure(job: Job, resources: Resources) -> float:
    prepare_process(resources.cpus)
    task, spec = fetch(job.task), job.config.train
    rows = np.arange(min(len(task.train), _STEPS * spec.batch_size))
    train, val = task.train.view(rows), task.val.view(np.arange(1))
    # A rate so low that nothing diverges.
    config = replace(job.config, lr=1e-6, epochs=2, train=spec.model_copy(update={"compile": "never"}))
    network, _ = initial_network(task.sources[job.source], task.num_classes, config.seed, task.train.image_size)
    context = DistributedContext(device=torch.device("cuda" if resources.gpus else "cpu"))
    *_, last = fine_tune(network, train, val, config, context)
    return spec.batch_size / last.images_per_s
