"""The fingerprint of tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translearn.models.weights import fingerprint


def test_the_fingerprint_depends_on_content_alone() -> None:
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    one = {"a": images, "b": torch.tensor(1)}
    other = {"b": torch.tensor(1), "a": images.to(memory_format=torch.channels_last)}
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "changed",
    [
        {"a": torch.zeros(2, 3), "b": torch.ones(1)},
        {"a": torch.zeros(3, 2), "c": torch.ones(1)},
        {"a": torch.zeros(3, 2, dtype=torch.int32), "b": torch.ones(1)},
        {"a": -torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(3, 2)},
    ],
)
def test_the_fingerprint_sees_every_change(changed: dict[str, Tensor]) -> None:
    assert fingerprint(changed) != fingerprint({"a": torch.zeros(3, 2), "b": torch.ones(1)})
