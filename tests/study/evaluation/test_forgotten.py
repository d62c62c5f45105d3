"""Forgetting: where it is measured, and that the target's test split is not read for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from history_cases import study

from translearn.cluster.data.predict import Model
from translearn.config import SourceSpec
from translearn.models.network import build
from translearn.models.preprocessing import IMAGENET
from translearn.models.sources import Source
from translearn.storage.folder import Folder
from translearn.study.evaluation import forgotten as module


def dataset(fingerprint: str) -> Any:
    return SimpleNamespace(manifest=SimpleNamespace(fingerprint=fingerprint, classes=["x", "y"]))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Whether forgetting is measured, of a source with these classes and data; the target's data is ``target``."""
    decoded: list[str] = []

    def decode(found: Any, split: str, *_: Any) -> Any:
        decoded.append(f"{found.manifest.fingerprint} {split}")
        return SimpleNamespace(labels=np.array([0, 1]))

    monkeypatch.setattr(module, "target_dataset", lambda *_: dataset("target"))
    monkeypatch.setattr(module, "decode_split", decode)
    monkeypatch.setattr(module, "predict", lambda models, *_: [np.eye(2) for _ in models])

    def run(fingerprint: str, classes: tuple[str, ...] | None = ("x", "y")) -> tuple[bool, list[str]]:
        monkeypatch.setattr(module, "source_dataset", lambda *_: dataset(fingerprint))
        spec = study()
        own = SourceSpec(name="a", arch="resnet18", weights="DEFAULT", data="pets")
        spec = spec.model_copy(update={"sources": (own,)})
        state = build("resnet18", 2, seed=0).state_dict()
        source, tuned = Source("a", "resnet18", "weights", state, classes), Model("resnet18", state, 2, IMAGENET)
        found = module.forgotten(spec, Folder.open(tmp_path), source, tuned, None)
        return found is not None, decoded

    return run


def test_it_is_measured_on_the_data_of_weights_too(measured: Any) -> None:
    assert measured("pets") == (True, ["pets test"])


def test_a_source_of_the_targets_own_data_reads_no_test_split(measured: Any) -> None:
    assert measured("target") == (False, [])


@pytest.mark.parametrize("classes", [None, ("y", "x"), ("x", "y", "z")])
def test_a_head_of_other_classes_tells_nothing(measured: Any, classes: Any) -> None:
    assert measured("pets", classes) == (False, [])
