"""Predictions of several models on one split, each model in a task of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch

from translearn.cluster.resources import Resources
from translearn.data.images.image_set import ImageSet
from translearn.models.load import load_source
from translearn.models.model_info import PRECISION
from translearn.models.network import build
from translearn.models.preprocessing import Normalisation
from translearn.models.weights import State
from translearn.training.inference import probabilities
from translearn.training.precision import prepare_process


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, head included: its architecture, its tensors, how many classes it tells apart, its input."""

    arch: str
    state: State
    num_classes: int
    normalisation: Normalisation
    image_size: int | None = None


def predict(models: list[Model], images: ImageSet, resources: Resources) -> list[np.ndarray]:
    """Return the class probabilities that each model gives each image: float64, (N, C) a model, in order.

    In the precision of the tensors, whatever they were trained in: so they run for who uses them. Each model has the
    CPUs of a trial's worker, and a whole GPU.
    """
    task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.whole_gpus)(_predict)
    split = (ray.put(images),)  # in a tuple Ray hands on the reference
    return list(ray.get([task.remote(model, split, resources) for model in models]))


def _predict(model: Model, split: tuple[Any], resources: Resources) -> np.ndarray:
    prepare_process(resources.cpus)
    device = torch.device("cuda" if resources.gpus else "cpu")
    network, images = build(model.arch, model.num_classes, 0, model.image_size), ray.get(split[0])
    load_source(network, model.state, keep_head=True, where=model.arch)
    network.normalisation = model.normalisation
    return probabilities(network.resize(images.image_size).to(device), images, PRECISION, device)
