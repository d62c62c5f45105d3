"""TrivialAugment: one operation at one strength, both drawn evenly, for each image.

Source: Müller & Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation (ICCV 2021,
arXiv:2103.10158), the "wide" space, with 31 strengths. Deviation: shifts reach S/7 pixels, which are its 32 where S is
224. Shapes: N images, S pixels a side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

_NUM_STRENGTHS = 31
#: Takes uint8 (3, S, S), a strength in [0, 1], and a sign.
_Operation = Callable[[Tensor, float, int], Tensor]


def trivial(images_NSSC: Tensor, numbers_N3: np.ndarray) -> Tensor:
    """Return uint8 images after the operation, the strength and the sign that their numbers in [0, 1) choose."""
    changed = torch.empty_like(images_NSSC)
    for image, (which, strength, sign), out in zip(images_NSSC, numbers_N3.tolist(), changed, strict=True):
        operation = _OPERATIONS[int(which * len(_OPERATIONS))]
        level = int(strength * _NUM_STRENGTHS) / (_NUM_STRENGTHS - 1)
        out.copy_(operation(image.permute(2, 0, 1), level, -1 if sign < 0.5 else 1).permute(1, 2, 0))
    return changed


def _sheared(axis: int) -> _Operation:
    def shear(x: Tensor, level: float, sign: int) -> Tensor:
        angles = [0.0, 0.0]
        angles[axis] = math.degrees(math.atan(0.99 * level * sign))
        return _affine(x, shear=angles, center=[0, 0])

    return shear


def _shifted(axis: int) -> _Operation:
    def shift(x: Tensor, level: float, sign: int) -> Tensor:
        offsets = [0, 0]
        offsets[axis] = round(level * sign * x.shape[-1] / 7)
        return _affine(x, translate=offsets)

    return shift


def _affine(x: Tensor, **changes: list[float] | list[int]) -> Tensor:
    still = {"translate": [0, 0], "shear": [0.0, 0.0]}
    return torch.as_tensor(_tv().affine(x, angle=0.0, scale=1.0, **{**still, **changes}))


def _by(name: str, first: Callable[[float, int], float] | None = None) -> _Operation:
    """Return an operation that is torchvision's function of a name, with one number made of strength and sign."""

    def change(x: Tensor, level: float, sign: int) -> Tensor:
        return torch.as_tensor(getattr(_tv(), name)(x, *([first(level, sign)] if first else [])))

    return change


def _factor(level: float, sign: int) -> float:
    return 1 + 0.99 * level * sign


def _tv() -> Any:
    return import_module("torchvision.transforms.v2.functional")  # takes seconds


_OPERATIONS: tuple[_Operation, ...] = (
    lambda x, *_: x,
    *(_sheared(axis) for axis in (0, 1)),
    *(_shifted(axis) for axis in (0, 1)),
    _by("rotate", lambda level, sign: 135 * level * sign),
    *(_by(f"adjust_{name}", _factor) for name in ("brightness", "saturation", "contrast", "sharpness")),
    _by("posterize", lambda level, _: round(8 - 6 * level)),
    _by("solarize", lambda level, _: 255 * (1 - level)),
    _by("autocontrast"),
    _by("equalize"),
)
