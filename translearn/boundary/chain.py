"""Runs frozen stages, always on equally many images at a time, so that an image's bits depend on it alone.

Measured (torch 2.14, AVX512-BF16; ResNet-18, ResNet-50, MobileNetV2; 32 and 64 pixels; chunks of 7, 32 and 48; 1 and
2 threads; fp32 and bf16; channels_last and contiguous): at a fixed chunk an image's bits depend neither on its place
nor on its neighbours, at every depth. Chunks of 16, 32 and 96 agreed as well; a chunk of 1 does not in fp32.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from translearn.models.network import Network
from translearn.training.precision import autocast

Pieces = tuple[Tensor, ...]


def pieces(x: Tensor, chunk: int | None) -> Pieces:
    """A batch cut into pieces of exactly ``chunk`` images, the last one filled up with copies of its first image.

    The batch itself when ``chunk`` is None or it has no images.
    """
    if chunk is None or not len(x):
        return (x,)
    parts = list(x.split(chunk))
    missing = chunk - len(parts[-1])
    if missing:
        parts[-1] = torch.cat([parts[-1], parts[-1][:1].expand(missing, *x.shape[1:])])
    return tuple(_canonical(part) for part in parts)


def whole(parts: Pieces, num: int) -> Tensor:
    """The batch of ``num`` images that was cut into pieces."""
    return parts[0] if len(parts) == 1 and len(parts[0]) == num else _canonical(torch.cat(parts)[:num])


def run(stages: nn.Module, parts: Pieces, precision: str, device: torch.device) -> Pieces:
    """What stages make of each piece, without gradients. ``precision`` is a resolved one (see ``arithmetic``)."""
    with torch.no_grad(), autocast(precision, device):
        return tuple(_canonical(stages(part)) for part in parts)


def starts(depths: Collection[int], stored: Collection[int]) -> dict[int, int | None]:
    """For each depth that is needed, in order, the one that it is computed from; None where it is read."""
    read = {0, *stored}
    found: dict[int, int | None] = {depth: None for depth in depths if depth in read}
    for depth in sorted(set(depths) - read):
        start = max(below for below in read | found.keys() if below < depth)
        found.setdefault(start, None)
        found[depth] = start
    return dict(sorted(found.items()))


def settled(network: Network, depth: int) -> Network:
    """The network, its first ``depth`` stages in eval mode, so that BatchNorm uses the source's statistics."""
    network.prefix(depth).eval()
    return network


def _canonical(x: Tensor) -> Tensor:
    """In channels_last memory, with the strides of a fresh tensor: they choose the kernels that read it."""
    if x.ndim != 4:
        return x.contiguous()
    channels, height, width = x.shape[1:]
    strides = (channels * height * width, 1, width * channels, channels)
    if x.stride() == strides:
        return x
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device=x.device).copy_(x)
