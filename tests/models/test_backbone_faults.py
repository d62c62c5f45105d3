"""What a study asks of its backbones that they can not do."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.models.backbones.faults import backbone_faults


def study(arch: str, image_size: int, drop_path: float | None = None, **search: Any) -> StudySpec:
    target = {"data": "sklearn:digits", "image_size": image_size}
    return parse_spec(
        {
            "name": "pets",
            "target": target,
            "sources": [{"name": "a", "arch": arch, "weights": "DEFAULT"}],
            "search": search,
            "train": {"drop_path": drop_path},
        }
    )


def test_freeze_depths_are_those_of_every_backbone() -> None:
    assert backbone_faults(study("resnet18", 32, freeze_depth=[0, 5])) == []
    assert backbone_faults(study("resnet18", 32, freeze_depth=[0, 6, 7])) == [
        f"search.freeze_depth: must be at most 5, the number of stages in resnet18, but got {depth}. "
        "Use 5 for a linear probe."
        for depth in (6, 7)
    ]


@pytest.mark.parametrize(
    ("arch", "size", "works"),
    [("vgg11_bn", 24, "32 or 48 or 64"), ("timm/test_vit", 40, "32 or 48 or 64")],
)
def test_an_image_size_that_a_backbone_does_not_take_is_answered_with_some_that_it_does(
    arch: str, size: int, works: str
) -> None:
    assert backbone_faults(study(arch, size)) == [
        f"target.image_size: must be a size of images that {arch} takes, but got {size}. For example {works}."
    ]
    assert backbone_faults(study(arch, 32)) == []


def test_stochastic_depth_is_for_backbones_that_have_it() -> None:
    assert backbone_faults(study("timm/test_vit", 32, drop_path=0.2)) == []
    assert backbone_faults(study("resnet18", 32, drop_path=0.0)) == []
    assert backbone_faults(study("resnet18", 32, drop_path=0.2)) == [
        "train.drop_path: must be null or 0 with resnet18, which has no stochastic depth, but got 0.2. "
        "Leave it out; timm's residual networks and transformers have it."
    ]


def test_an_unknown_backbone_is_left_to_the_sources() -> None:
    assert backbone_faults(study("resnet81", 32, freeze_depth=[9])) == []
