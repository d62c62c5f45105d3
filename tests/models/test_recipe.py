"""The Python on a model's card makes the network without translearn."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision

from translearn.models.backbones.recipe import recipe
from translearn.models.network import build


@pytest.mark.parametrize(
    ("arch", "size"),
    [
        ("resnet18", 32),
        ("squeezenet1_1", 64),
        ("timm/test_resnet", 32),
        ("timm/test_vit", 48),
        ("timm/dla46_c", 32),
        pytest.param("googlenet", 64, marks=pytest.mark.slow),
        pytest.param("vit_b_16", 48, marks=pytest.mark.slow),
        pytest.param("timm/crossvit_tiny_240", 240, marks=pytest.mark.slow),
        pytest.param("timm/qwen3_vit_88m_enc", 96, marks=pytest.mark.slow),
    ],
)
def test_the_lines_make_the_network_that_has_these_tensors(arch: str, size: int) -> None:
    network, found = build(arch, 7, 0, size).eval(), dict[str, Any]()
    exec(recipe(arch, 7, size), {"timm": timm, "torch": torch, "torchvision": torchvision}, found)
    made = found["network"].eval()
    made.load_state_dict(network.state_dict())
    with torch.no_grad():
        expected, y = network(x := torch.randn(2, 3, size, size)), made(x)
        if hasattr(made, "linear_head"):
            y = made.linear_head(y.mean(1) if y.ndim == 3 else y)
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-3)  # of another memory format
