"""TrivialAugment's operations are torchvision's, drawn evenly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import TrivialAugmentWide

from translearn.data.trivial import trivial

SIZE = 56
#: torchvision's operations in our order, and their numbers by strength and sign.
OPERATIONS = {
    "Identity": lambda level, sign: 0.0,
    "ShearX": lambda level, sign: 0.99 * level * sign,
    "ShearY": lambda level, sign: 0.99 * level * sign,
    "TranslateX": lambda level, sign: round(level * sign * SIZE / 7),
    "TranslateY": lambda level, sign: round(level * sign * SIZE / 7),
    "Rotate": lambda level, sign: 135 * level * sign,
    "Brightness": lambda level, sign: 0.99 * level * sign,
    "Color": lambda level, sign: 0.99 * level * sign,
    "Contrast": lambda level, sign: 0.99 * level * sign,
    "Sharpness": lambda level, sign: 0.99 * level * sign,
    "Posterize": lambda level, sign: round(8 - 6 * level),
    "Solarize": lambda level, sign: 1 - level,
    "AutoContrast": lambda level, sign: 0.0,
    "Equalize": lambda level, sign: 0.0,
}


def image(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(20, 200, (SIZE, SIZE, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_torchvisions_of_its_name(name: str) -> None:
    which, plain = (list(OPERATIONS).index(name) + 0.5) / len(OPERATIONS), image().permute(2, 0, 1)
    for level, sign in [(0, 1), (10, -1), (10, 1), (30, -1)]:
        numbers = np.array([[which, (level + 0.5) / 31, 0.25 if sign < 0 else 0.75]])
        number = OPERATIONS[name](level / 30, sign)
        expected = TrivialAugmentWide()._apply_image_or_video_transform(
            plain, name, number, interpolation=InterpolationMode.NEAREST, fill={}
        )
        (found,) = trivial(image()[None], numbers)
        assert torch.equal(found.permute(2, 0, 1), expected)


def test_each_image_has_its_own_operation_and_all_are_as_frequent() -> None:
    pixels, numbers = image().expand(3, -1, -1, -1), np.array([[0.0, 0, 0], [0.45, 0.9, 0.9], [0.9, 0.5, 0.5]])
    found = trivial(pixels, numbers)
    assert torch.equal(found[0], pixels[0])
    assert [torch.equal(found[i], trivial(pixels[:1], numbers[i : i + 1])[0]) for i in range(3)] == [True] * 3
    assert not torch.equal(found[1], found[2])
