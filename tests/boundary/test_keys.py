"""A key changes with everything that a boundary's bits depend on, and with nothing else."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from boundary_cases import CPU, source, split

from translearn.boundary.keys import Wanted
from translearn.data.images.image_set import ImageSet

DATA = split(20)


def wanted(**changes: Any) -> Wanted:
    given = {"source": "s", "network": source(), "data": DATA, "data_key": "train", "precision": "fp32", "device": CPU}
    more = {"chunk": 8, "threads": 1, "augment": "crop", "seed": 1, "views": 2}
    return Wanted(**{**given, **more, **changes})


def moved(order: np.ndarray) -> ImageSet:
    return ImageSet(DATA.images, DATA.labels, DATA.keys[order])


def brighter() -> ImageSet:
    return dataclasses.replace(DATA, images=DATA.images ^ 1)


CHANGES: dict[str, dict[str, Any]] = {
    "source": {"source": "other"},
    "weights": {"network": source(seed=1)},
    "architecture": {"network": source("resnet34")},
    "data": {"data_key": "val"},
    "order": {"data": moved(np.arange(20)[::-1])},
    "examples": {"data": DATA.take(np.arange(19))},
    "pixels": {"data": brighter()},
    "size": {"data": split(20, size=64)},
    "augment": {"augment": "flip_crop"},
    "no augment": {"augment": "none"},
    "seed": {"seed": 2},
    "views": {"views": 3},
    "precision": {"precision": "bf16"},
    "chunk": {"chunk": 9},
    "no chunk": {"chunk": None},
    "threads": {"threads": 2},
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_gives_another_key(change: str) -> None:
    assert wanted(**CHANGES[change]).key(2) != wanted().key(2)


def test_every_field_is_changed_above() -> None:
    changed = {name for change in CHANGES.values() for name in change}
    assert changed | {"device"} == {one.name for one in dataclasses.fields(Wanted)}


def test_another_version_of_torch_or_depth_gives_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wanted().key(2)
    assert before != wanted().key(3)
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    assert wanted().key(2) != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("translearn.boundary.keys.version", lambda _: "99.0"),
        ("translearn.data.transforms.REVISION", 99),
        ("translearn.data.transforms.MEAN", (0.5, 0.5, 0.5)),
    ],
)
def test_another_translearn_or_other_transforms_give_another_key(name: str, value: Any, monkeypatch: Any) -> None:
    before = wanted(augment="none").key(2)
    monkeypatch.setattr(name, value)
    assert wanted(augment="none").key(2) != before


def test_equal_things_give_equal_keys() -> None:
    same = copy.deepcopy(source())
    with torch.no_grad():
        same.get_parameter("layer4.0.conv1.weight").add_(1)  # not frozen at depth 2
        same.head.weight.add_(1)
    assert wanted(network=same).key(2) == wanted().key(2)
    assert wanted(network=same).key(5) != wanted().key(5)
    assert wanted(augment="none", seed=2).key(2) == wanted(augment="none", views=0).key(2)


def test_a_buffer_of_a_frozen_stage_counts() -> None:
    other = copy.deepcopy(source())
    other.get_buffer("bn1.running_mean").add_(1e-6)
    assert wanted(network=other).key(1) != wanted().key(1)
