"""The evaluation step. It is the one place that reads the target's test split, and it reads it once."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.cluster.console import say
from translearn.cluster.predict import Model, predict
from translearn.cluster.resources import Resources
from translearn.data.decode import decode_split
from translearn.data.image_set import ImageSet
from translearn.evaluate.forgetting import forgetting
from translearn.evaluate.predictions import Predictions
from translearn.evaluate.summary import evaluate
from translearn.models.model_dir import TaskErrors
from translearn.models.network import build
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import Splits, limits
from translearn.study.directory import EVALUATION, MODEL
from translearn.study.models import load, publish
from translearn.study.refit import REFIT, refit_seeds, run_name
from translearn.study.sources import source_dataset


def evaluate_study(
    spec: StudySpec,
    folder: Folder,
    splits: Splits,
    sources: dict[str, Source],
    roles: dict[str, dict[str, Any]],
    resources: Resources,
) -> dict[str, Any]:
    """Every figure of the report, read from ``evaluation.json`` where the study has it already.

    Leaves ``model/``, the deployed model, and then ``evaluation.json``.
    """
    if folder.exists(EVALUATION):
        return dict(folder.read_json(EVALUATION))
    say("evaluating on test")
    bounds = limits(spec.target.ingest)
    test = decode_split(splits.dataset, "test", spec.target.image_size, bounds.other, spec.seed)
    refits = {
        (role, seed): load(folder / REFIT / run_name(role, index))
        for role in roles
        for index, seed in enumerate(refit_seeds(spec))
    }
    on_test, on_val = (_predictions(refits, images, spec, resources) for images in (test, splits.val))
    forgotten = _forgetting(spec, folder, sources, roles["transfer"], refits, resources)
    classes = splits.dataset.manifest.classes
    evaluation = evaluate(on_test, on_val, classes, trials=roles, num_train=len(splits.train), forgetting=forgotten)
    _deploy(spec, folder, evaluation["deployed"])
    folder.write_json(EVALUATION, evaluation)
    return evaluation


def _predictions(
    refits: dict[tuple[str, int], Model], images: ImageSet, spec: StudySpec, resources: Resources
) -> list[Predictions]:
    found = predict(list(refits.values()), images, spec.train.precision, resources)
    return [Predictions(role, seed, p, images.labels) for (role, seed), p in zip(refits, found, strict=True)]


def _deploy(spec: StudySpec, folder: Folder, deployed: dict[str, Any]) -> None:
    index = refit_seeds(spec).index(deployed["seed"])
    errors = TaskErrors(validation=deployed["validation_error"], test=deployed["error"])
    publish(folder / REFIT / run_name(deployed["role"], index), folder / MODEL, errors)


def _forgetting(
    spec: StudySpec,
    folder: Folder,
    sources: dict[str, Source],
    trial: dict[str, Any],
    refits: dict[tuple[str, int], Model],
    resources: Resources,
) -> dict[str, Any] | None:
    """Source error with the source's head, before and after fine-tuning; None without the source's data."""
    source = sources[trial["source"]]
    candidate = next(s for s in spec.sources if s.name == source.name)
    dataset = source_dataset(candidate, folder)
    if dataset is None or candidate.pretrain is None or source.state is None or source.classes is None:
        return None
    bounds = limits(candidate.pretrain.ingest)
    images = decode_split(dataset, "test", spec.target.image_size, bounds.other, spec.seed)
    before = Model(source.arch, source.state, len(source.classes))
    after = _with_head_of(before, refits["transfer", refit_seeds(spec)[0]])
    wrong = [_errors(p, images) for p in predict([before, after], images, spec.train.precision, resources)]
    return forgetting(wrong[0], wrong[1])


def _with_head_of(source: Model, tuned: Model) -> Model:
    network = build(source.arch, source.num_classes, seed=0)
    head = {name: tensor for name, tensor in source.state.items() if network.stage_of(name) == "head"}
    return Model(source.arch, {**tuned.state, **head}, source.num_classes)


def _errors(probabilities: np.ndarray, images: ImageSet) -> np.ndarray:
    return np.asarray(probabilities.argmax(1) != images.labels)
