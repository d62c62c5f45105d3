"""Scores of sources on a target, each source in a task of its own, sized like a trial."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ray
import torch

from translearn.cluster.data.shared import Shared, Task, fetch, share
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.progress import followed, ticking
from translearn.config import StudySpec
from translearn.data.images.image_set import ImageSet
from translearn.models.load import fit_faults, head_width, load_source
from translearn.models.network import Network, build, skeleton
from translearn.models.sources import Source
from translearn.ranking.domains import Distances, domain_distances
from translearn.ranking.scores import stratified_rows
from translearn.ranking.scoring import StageFeatures, StageScore, stage_scores
from translearn.training.features import stage_features
from translearn.training.precision import prepare_process, resolve_precision


@dataclass(frozen=True)
class Scored:
    """The measured scores of a source.

    Attributes:
        scores: At every stage.
        num_classes: Classes of the source's head; None where it has none.
        num_features: Features at the last stage.
        distances: Between the source's images and the target's; None where the source's are not at hand.
        num_examples: Training images of the target that were used.
        seconds: Wall time of it all.
        features: Of these images at the last stage: float32, shape (N, D).
    """

    scores: tuple[StageScore, ...]
    num_classes: int | None
    num_features: int
    distances: Distances | None
    num_examples: int
    seconds: float
    features: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32), repr=False, compare=False)


def score_sources(
    task: Task, own_images: Mapping[str, ImageSet], spec: StudySpec, resources: Resources
) -> dict[str, Scored]:
    """Measure each source but scratch, as many at once as the cluster holds; return scores by name.

    Of the target, training images alone are read, in one pass a source.

    Args:
        task: Target data and sources.
        own_images: Images that a source was trained on, where they are at hand.
        spec: The study.
        resources: The layout; a source has what a worker of a trial has.
    """
    shared = share(task)
    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(_score)
    names = [name for name, source in task.sources.items() if source.kind != "scratch"]
    refs = {name: remote.remote(shared, name, own_images.get(name), spec, resources) for name in names}
    if len(refs) == 1:
        with ticking(f"ranking {names[0]}"):
            return {names[0]: ray.get(refs[names[0]])}
    for done in followed(_as_they_end(list(refs.values())), len(refs), "sources ranked"):
        ray.get(done)  # an error is told at once
    return {name: ray.get(ref) for name, ref in refs.items()}


def _as_they_end(refs: list[Any]) -> Iterator[list[Any]]:
    """Yield references whose tasks are done, and an empty list each second in which none was."""
    while refs:
        done, refs = ray.wait(refs, timeout=1.0)
        yield done


def _score(shared: Shared, name: str, own: ImageSet | None, spec: StudySpec, resources: Resources) -> Scored:
    prepare_process(resources.cpus)
    task = fetch(shared)
    return score(task.sources[name], task.train, own, spec, torch.device("cuda" if resources.gpus else "cpu"))


def score(source: Source, train: ImageSet, own: ImageSet | None, spec: StudySpec, device: torch.device) -> Scored:
    """Measure a source on a target's training images."""
    started = time.perf_counter()
    network, has_head = _network(source, train.image_size, device)
    how: dict[str, Any] = {"precision": resolve_precision(spec.train.precision, device), "device": device}
    rows = stratified_rows(train.labels, spec.rank.max_examples, spec.seed)
    found = StageFeatures(*stage_features(network, train.view(rows), has_head=has_head, **how))
    scores = stage_scores(found, train.labels[rows], spec.seed, spec.rank.scores)
    distances = None
    if own is not None:
        own_rows = stratified_rows(own.labels, spec.rank.max_examples, spec.seed)
        features, _ = stage_features(network, own.view(own_rows), has_head=False, **how)
        distances = domain_distances(features[max(features)], found.last, spec.seed)
    num_classes = None if found.probabilities is None else found.probabilities.shape[1]
    seconds = time.perf_counter() - started
    return Scored(tuple(scores), num_classes, found.last.shape[1], distances, len(rows), seconds, found.last)


def _network(source: Source, image_size: int, device: torch.device) -> tuple[Network, bool]:
    """Return the source's network, and whether its head is its own."""
    assert source.state is not None
    num_classes = head_width(skeleton(source.arch), source.state) or 1
    has_head = not fit_faults(skeleton(source.arch, num_classes, source.image_size), source.state, keep_head=True)
    network = build(source.arch, num_classes, 0, source.image_size)
    network.normalisation = source.normalisation
    load_source(network, source.state, keep_head=has_head, where=f"sources.{source.name}")
    return network.resize(image_size).to(device), has_head
