"""Small sources and splits whose boundaries tests look at."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translearn.boundary.feed import Feed
from translearn.data.images.image_set import ImageSet
from translearn.data.transforms import augment, to_input
from translearn.models.network import Network, build
from translearn.seeds import example_key
from translearn.training.precision import autocast

CPU = torch.device("cpu")
DEPTHS = (0, 1, 2, 3, 4, 5)


@functools.cache
def source(arch: str = "resnet18", seed: int = 0) -> Network:
    """A source whose BatchNorm statistics are its own, not the initial ones."""
    network = build(arch, 3, seed)
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(seed)))
    return network.eval()


def split(num: int, seed: int = 0, size: int = 32) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    keys = np.array([example_key(f"{seed}/{index}") for index in range(num)], dtype=np.uint64)
    return ImageSet(pixels, np.arange(num, dtype=np.int64) % 3, keys)


def feed(data: ImageSet, depths: tuple[int, ...] = DEPTHS, arch: str = "resnet18", **more: Any) -> Feed:
    options = {"precision": "fp32", "device": CPU, "chunk": 8, **more}
    return Feed(source(arch), depths, data, **options)


def plain(data: ImageSet, rows: np.ndarray, depth: int, epoch: int, precision: str, policy: str, arch: str) -> Tensor:
    """The boundary as a run alone computes it: augment, then one pass of the prefix."""
    x = to_input(augment(torch.from_numpy(data.images[rows]), data.keys[rows], policy, 7, epoch))
    prefix: nn.Module = source(arch).prefix(depth)
    with torch.no_grad(), autocast(precision, CPU):
        return prefix(x)
