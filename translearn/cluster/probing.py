"""A linear probe of a source as a model, fitted in closed form on features, in a task of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import ray
import torch

from translearn.cluster.data.shared import Shared, Task, fetch, laid_out, share, viewed
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.progress import ticking
from translearn.config import StudySpec
from translearn.evaluation.predictions import PROBE, Predictions
from translearn.evaluation.temperature import fit_temperature
from translearn.models.model_info import PRECISION
from translearn.models.network import Network
from translearn.models.preprocessing import Normalisation
from translearn.models.sources import initial_network
from translearn.models.weights import State
from translearn.ranking.scores import fit_linear_probe, stratified_rows
from translearn.training.features import stage_features
from translearn.training.inference import probabilities
from translearn.training.precision import prepare_process, resolve_precision


@dataclass(frozen=True, eq=False)
class ProbeModel:
    """A source's backbone with a fitted head.

    Attributes:
        state: Its tensors, under the model's names.
        normalisation: Of its images.
        val_error: On the whole validation split, in [0, 1], lower is better.
        temperature: The divisor of its logits; fitted on validation.
        num_examples: Training images that the head was fitted on.
    """

    state: State
    normalisation: Normalisation
    val_error: float
    temperature: float
    num_examples: int


def fit_probe(
    task: Task, source: str, features: np.ndarray | None, spec: StudySpec, resources: Resources
) -> ProbeModel:
    """Fit a linear probe on the images that the ranking uses, and validate it.

    Args:
        task: Target data and sources.
        source: The name of the source.
        features: As ``scoring.Scored`` has them; computed when None.
        spec: The study.
        resources: The layout; the task has what a worker of a trial has.
    """
    shared = share(replace(task, sources={source: task.sources[source]}))
    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(_fit)
    with ticking(f"linear probe of {source}"):
        found: ProbeModel = ray.get(remote.remote(shared, source, features, spec, resources))
    return replace(found, state=viewed(found.state))


def _fit(shared: Shared, source: str, features: np.ndarray | None, spec: StudySpec, resources: Resources) -> ProbeModel:
    prepare_process(resources.cpus)
    device = torch.device("cuda" if resources.gpus else "cpu")
    found = probe_model(fetch(shared), source, features, spec, device)
    return replace(found, state=laid_out(found.state))


def probe_model(
    task: Task, source: str, features: np.ndarray | None, spec: StudySpec, device: torch.device
) -> ProbeModel:
    """Fit and validate as ``fit_probe``, in this process."""
    network, _ = initial_network(task.sources[source], task.num_classes, spec.seed, task.train.image_size)
    network.to(device)
    rows = stratified_rows(task.train.labels, spec.rank.max_examples, spec.seed)
    if features is None:
        precision = resolve_precision(spec.train.precision, device)
        images = task.train.view(rows)
        by_depth, _ = stage_features(network, images, has_head=False, precision=precision, device=device)
        features = by_depth[max(by_depth)]
    _set_head(network, *fit_linear_probe(features, task.train.labels[rows], task.num_classes))
    on_val = Predictions(PROBE, spec.seed, probabilities(network, task.val, PRECISION, device), task.val.labels)
    state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    return ProbeModel(state, network.normalisation, on_val.error, fit_temperature(on_val), len(rows))


def _set_head(network: Network, weights_CD: np.ndarray, biases_C: np.ndarray) -> None:
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weights_CD))
        if network.head.bias is not None:  # of a head without one the class frequencies are left out
            network.head.bias.copy_(torch.from_numpy(biases_C))
