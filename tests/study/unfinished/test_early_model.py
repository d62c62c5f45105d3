"""The model of a study that has not ended: replaced by a better one alone, and never half written."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from deploy_cases import made_model

import translearn
from translearn.cluster.data.shared import Task
from translearn.cluster.probing import ProbeModel, probe_model
from translearn.cluster.resources import Resources
from translearn.config import StudySpec, parse_spec
from translearn.data.images.decode import decode_split
from translearn.data.images.placement import Placement
from translearn.data.ingest.ingest import ingest, inspected
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import plan_ingest
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import ModelInfo, TaskErrors, read_info
from translearn.models.network import build
from translearn.models.preprocessing import IMAGENET, Normalisation
from translearn.models.sources import Source, initial_network, scratch
from translearn.storage.folder import Folder
from translearn.study import models
from translearn.study.context import StudyContext
from translearn.study.datasets.prepare import Splits
from translearn.study.planning.budget import with_budget
from translearn.study.unfinished import early_model
from translearn.study.unfinished.early_model import keep_probe, keep_trial, offer


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, torch.Tensor], ModelInfo]:
    """A model's tensors and description; what is said is left out."""
    monkeypatch.setattr(early_model, "say", lambda _: None)
    return load_model(Folder.open(made_model(tmp_path / "made")))


def described(info: ModelInfo, error: float, what: str) -> ModelInfo:
    provenance = {"study": "pets", "translearn": "0", "step": "rank", "what": what}
    return info.model_copy(update={"errors": TaskErrors(validation=error), "provenance": provenance})


def test_a_model_is_replaced_by_one_of_lower_validation_error_alone(
    tmp_path: Path, made: tuple[dict[str, torch.Tensor], ModelInfo]
) -> None:
    (state, info), study, made_states = made, Folder.open(tmp_path / "study"), list[str]()

    def give(name: str) -> Any:
        return lambda: made_states.append(name) or state

    for error, what in ((0.3, "linear probe of a"), (0.3, "equal"), (0.4, "worse"), (0.2, "trial t"), (0.25, "worse")):
        offer(study, described(info, error, what), give(what))
    assert made_states == ["linear probe of a", "trial t"]  # the tensors of others are not even read
    kept = read_info(study / "model")
    assert (kept.errors.validation, kept.provenance["what"]) == (0.2, "trial t")
    assert {path.name for path in (tmp_path / "study" / "model").iterdir()} == {
        *("model.json", "model.safetensors", "labels.txt", "README.md"),
    }
    card = (tmp_path / "study" / "model" / "README.md").read_text()
    assert "was going on: trial t. Its error\non validation is 20.0 %." in card
    assert translearn.load_model(tmp_path / "study").classes == info.classes


def test_ctrl_c_in_the_middle_of_a_write_leaves_the_whole_model(
    tmp_path: Path, made: tuple[dict[str, torch.Tensor], ModelInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    (state, info), study = made, Folder.open(tmp_path / "study")
    offer(study, described(info, 0.3, "first"), lambda: state)

    def slowly(*args: Any) -> None:
        assert not (study / "model").exists("model.json")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.2)
        save_model(*args)

    monkeypatch.setattr(models, "save_model", slowly)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            offer(study, described(info, 0.2, "second"), lambda: state)
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_model(study / "model")[1].provenance["what"] == "second"


def context_of(folder: Folder) -> StudyContext:
    """A study of a few digits, with one source and scratch."""
    plan = plan_ingest("sklearn:digits", IngestOptions(split=(0.5, 0.25, 0.25), limit_per_class=6))
    dataset = ingest(plan, folder / "data", inspected(plan))
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    spec = parse_spec({"name": "x", "target": {"data": "d", "image_size": 32}, "sources": [source]})
    train, val = (decode_split(dataset, split, 32, 6, 0) for split in ("train", "val"))
    state = dict(build("resnet18", 5, 1).state_dict())
    normalisation = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    sources = {
        "a": Source("a", "resnet18", "weights", state, normalisation=normalisation),
        "scratch": scratch("resnet18"),
    }
    splits = Splits(dataset, train, val, cast(Placement, None))
    return StudyContext(with_budget(spec, len(train)), folder, splits, sources, Resources(1, 0.0, 1, 1))


def test_the_probe_comes_first_and_a_better_trial_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(task: Task, source: str, features: None, spec: StudySpec, _: Resources) -> ProbeModel:
        return probe_model(task, source, features, spec, torch.device("cpu"))

    monkeypatch.setattr(early_model, "fit_probe", here)
    context = context_of(Folder.open(tmp_path))
    keep_probe(context, "a", None)
    info = translearn.load_model(tmp_path).info
    assert (info.provenance["step"], info.provenance["source"], info.provenance["freeze_depth"]) == ("rank", "a", 5)
    assert info.provenance["what"] == "linear probe of a, in closed form on 60 training images, before any trial"
    assert (info.preprocessing.mean, info.classes) == ((0.5, 0.5, 0.5), tuple(context.classes))
    assert info.errors.validation is not None
    assert info.temperature

    trained = {"fc.bias": torch.arange(10.0)}
    result = {"epoch": 3, "epochs": 3, "precision": "fp32"}
    config = {"source": "scratch", "freeze_depth": 0, "lr": 0.5}
    keep_trial(context, "worse", config, {**result, "val_error": info.errors.validation}, lambda: trained)
    assert translearn.load_model(tmp_path).info == info
    keep_trial(context, "better", config, {**result, "val_error": 0.0}, lambda: trained)
    model = translearn.load_model(tmp_path)
    assert model.info.provenance["what"] == "trial better of the search, after its last epoch"
    assert (model.info.errors.validation, model.info.temperature, model.info.provenance["lr"]) == (0.0, None, 0.5)
    assert model.info.preprocessing.mean == IMAGENET.mean
    assert model.network.state_dict()["fc.bias"].tolist() == list(range(10))
    rest, _ = initial_network(scratch("resnet18"), 10, context.spec.seed, 32)
    assert torch.equal(model.network.state_dict()["conv1.weight"], rest.state_dict()["conv1.weight"])

    keep_probe(context, "a", None)  # a study that goes on
    assert translearn.load_model(tmp_path).info == model.info
