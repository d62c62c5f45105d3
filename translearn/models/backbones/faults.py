"""What a study asks of its backbones that they can not do: freeze depths, stochastic depth, and sizes of images."""

from __future__ import annotations

import torch

from translearn.config import StudySpec
from translearn.errors import WeightsError, fault
from translearn.models.backbones.backbone import native_size
from translearn.models.backbones.drop_path import drop_paths
from translearn.models.backbones.stages import num_stages
from translearn.models.network import skeleton

_SIZES = (32, 48, 64, 96, 112, 128, 160, 192, 224, 256, 288, 299, 320, 384, 448, 512)
_NUM_SHOWN = 3


def backbone_faults(spec: StudySpec) -> list[str]:
    """Return a line for each freeze depth, image size and stochastic depth that a backbone of a study does not have.

    A backbone that is not known is left out: the faults of sources have it.
    """
    return [line for arch in spec.archs for line in _faults(spec, arch)]


def _faults(spec: StudySpec, arch: str) -> list[str]:
    try:
        num = num_stages(arch)
    except WeightsError:
        return []
    rule = f"must be at most {num}, the number of stages in {arch}"
    deep = [depth for depth in spec.search.freeze_depth or () if depth > num]
    lines = [fault("search.freeze_depth", rule, depth, f"Use {num} for a linear probe.") for depth in deep]
    return lines + _drop_path_faults(arch, spec.train.drop_path) + _size_faults(arch, spec.target.image_size)


def _drop_path_faults(arch: str, rate: float | None) -> list[str]:
    if not rate or drop_paths(arch):
        return []
    rule = f"must be null or 0 with {arch}, which has no stochastic depth"
    return [fault("train.drop_path", rule, rate, "Leave it out; timm's residual networks and transformers have it.")]


def _size_faults(arch: str, size: int) -> list[str]:
    if takes(arch, size):
        return []
    works = [other for other in {*_SIZES, native_size(arch)} if takes(arch, other)]
    nearest = sorted(sorted(works, key=lambda other: abs(other - size))[:_NUM_SHOWN])
    remedy = f"For example {' or '.join(map(str, nearest))}."
    return [fault("target.image_size", f"must be a size of images that {arch} takes", size, remedy)]


def takes(arch: str, size: int) -> bool:
    """Return whether a backbone takes images of a size, in pixels: from a pass without memory (device "meta")."""
    try:
        skeleton(arch, image_size=size).eval()(torch.empty(2, 3, size, size, device="meta"))
    except Exception:  # whatever the code of a model raises
        return False
    return True
