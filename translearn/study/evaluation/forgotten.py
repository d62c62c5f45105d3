"""Forgetting, where the source's data is at hand: the source's head on the stages that were fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from translearn.cluster.data.predict import Model, predict
from translearn.cluster.resources import Resources
from translearn.config import StudySpec
from translearn.data.images.decode import decode_split
from translearn.data.images.image_set import ImageSet
from translearn.evaluation.forgetting import DepthErrors, forgetting, forgetting_by_depth
from translearn.models.load import head_width
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.storage.folder import Folder
from translearn.study.datasets.names import limits
from translearn.study.datasets.prepare import target_dataset
from translearn.study.models import load
from translearn.study.refits.depth_runs import DepthRun
from translearn.study.refits.more_refits import failed_runs
from translearn.study.refits.refit import REFIT, run_error
from translearn.study.sources.obtain import source_dataset


def forgotten(
    spec: StudySpec, folder: Folder, source: Source, tuned: Model, resources: Resources
) -> dict[str, Any] | None:
    """Source error with the source's head, before and after fine-tuning.

    None without the source's data, where its classes are not those of the source's head, and where it is the target's.

    Args:
        spec: The study.
        folder: Its directory.
        source: The source of the model.
        tuned: A model that was fine-tuned from it.
        resources: The layout; models predict as refits do.
    """
    wrong = _source_errors(spec, folder, source, [tuned], resources)
    return None if wrong is None else forgetting(*wrong)


def forgotten_by_depth(
    spec: StudySpec,
    folder: Folder,
    sources: dict[str, Source],
    runs: Sequence[DepthRun],
    num_val: int,
    resources: Resources,
) -> dict[str, Any] | None:
    """Return the source error and the target's validation error of each freeze depth.

    Args:
        spec: The study.
        folder: Its directory, with the models of the runs.
        sources: All sources by name.
        runs: What ``depth_runs`` gave; they have one source.
        num_val: Examples of the target's validation split.
        resources: The layout; models predict as refits do.

    Returns:
        ``source``, ``before`` and ``depths`` (``evaluate.forgetting_by_depth``), without runs that diverged; None
        without any, and where ``forgotten`` is.
    """
    failed = failed_runs(folder, [run.name for run in runs])
    runs = [run for run in runs if run.name not in failed]
    if not runs:
        return None
    source = sources[runs[0].trial["source"]]
    wrong = _source_errors(spec, folder, source, [load(folder / REFIT / run.name) for run in runs], resources)
    if wrong is None:
        return None
    before, *after = wrong
    depths = [
        DepthErrors(
            run.trial["freeze_depth"], run.trial["lr"], round(run_error(folder, run.name) * num_val), num_val, one
        )
        for run, one in zip(runs, after, strict=True)
    ]
    return {"source": source.name, **forgetting_by_depth(before, depths)}


def _source_errors(
    spec: StudySpec, folder: Folder, source: Source, tuned: Sequence[Model], resources: Resources
) -> list[np.ndarray] | None:
    """Where the source, and each of the models with its head, is wrong on the source's test split."""
    candidate = next(s for s in spec.sources if s.name == source.name)
    dataset = source_dataset(candidate, folder)
    if dataset is None or candidate.own_data is None or source.state is None:
        return None
    if dataset.manifest.fingerprint == target_dataset(spec, folder).manifest.fingerprint:
        return None  # its test split is the target's, which nothing but ``read_test`` may read
    # No head, or one whose classes are others, or unknown, or in another order, tells nothing of these labels.
    classes = tuple(dataset.manifest.classes)
    if source.classes != classes or head_width(skeleton(source.arch), source.state) != len(classes):
        return None
    bounds = limits(candidate.own_data[1])
    images = decode_split(dataset, "test", spec.target.image_size, bounds.other, spec.seed)
    before = Model(source.arch, source.state, len(classes), source.normalisation, source.image_size)
    models = [before, *(_with_head_of(before, one) for one in tuned)]
    return [_errors(p, images) for p in predict(models, images, resources)]


def _with_head_of(source: Model, tuned: Model) -> Model:
    network = skeleton(source.arch)
    head = {name: tensor for name, tensor in source.state.items() if network.stage_of(name) == "head"}
    return replace(tuned, state={**tuned.state, **head}, num_classes=source.num_classes)


def _errors(probabilities: np.ndarray, images: ImageSet) -> np.ndarray:
    return np.asarray(probabilities.argmax(1) != images.labels)
