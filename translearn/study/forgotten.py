"""Forgetting, where the source's data is at hand: the source's head on the stages that were fine-tuned."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.cluster.predict import Model, predict
from translearn.cluster.resources import Resources
from translearn.data.decode import decode_split
from translearn.data.image_set import ImageSet
from translearn.evaluate.forgetting import forgetting
from translearn.models.network import build
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import limits
from translearn.study.sources import source_dataset


def forgotten(
    spec: StudySpec, folder: Folder, source: Source, tuned: Model, resources: Resources
) -> dict[str, Any] | None:
    """Source error with the source's head, before and after fine-tuning; None without the source's data.

    Args:
        spec: The study.
        folder: Its directory.
        source: The source of the model.
        tuned: A model that was fine-tuned from it.
        resources: The layout; models predict as refits do.
    """
    candidate = next(s for s in spec.sources if s.name == source.name)
    dataset = source_dataset(candidate, folder)
    if dataset is None or candidate.pretrain is None or source.state is None or source.classes is None:
        return None
    bounds = limits(candidate.pretrain.ingest)
    images = decode_split(dataset, "test", spec.target.image_size, bounds.other, spec.seed)
    before = Model(source.arch, source.state, len(source.classes))
    after = _with_head_of(before, tuned)
    wrong = [_errors(p, images) for p in predict([before, after], images, spec.train.precision, resources)]
    return forgetting(wrong[0], wrong[1])


def _with_head_of(source: Model, tuned: Model) -> Model:
    network = build(source.arch, source.num_classes, seed=0)
    head = {name: tensor for name, tensor in source.state.items() if network.stage_of(name) == "head"}
    return Model(source.arch, {**tuned.state, **head}, source.num_classes)


def _errors(probabilities: np.ndarray, images: ImageSet) -> np.ndarray:
    return np.asarray(probabilities.argmax(1) != images.labels)
