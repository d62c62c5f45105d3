"""Conversion of uint8 images to a network's input, a batch at a time, with repeatable augmentation.

Every image of a batch is augmented differently, by numbers that depend on (seed, epoch, example) alone.
The random classes of ``torchvision.transforms.v2`` draw once a batch and from a global generator, so only
its functions are used here. Shapes: N images, S pixels a side, colours last in memory throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from translearn.data.trivial import trivial
from translearn.seeds import derive_seed, uniforms

#: The channel statistics of ImageNet.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MIN_AREA, _MAX_RATIO = 0.35, 4 / 3
_PART_BYTES = 2**18


def to_input(images_NSSC: torch.Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> torch.Tensor:
    """Return uint8 images as float32 (N, 3, S, S) in channels_last memory, normalised by channel."""
    if images_NSSC.device.type == "cpu":
        return _to_input_in_parts(images_NSSC, mean, std)
    from torchvision.transforms.v2 import functional as tv  # takes seconds, and a CPU needs none of it

    x = tv.to_dtype(images_NSSC.permute(0, 3, 1, 2), torch.float32, scale=True)
    return torch.as_tensor(tv.normalize(x, list(mean), list(std)))


def augment(images_NSSC: torch.Tensor, keys: np.ndarray, policy: str, seed: int, epoch: int) -> torch.Tensor:
    """Augment each image at random, as a function of (seed, epoch, its key).

    Args:
        images_NSSC: uint8, shape (N, S, S, 3).
        keys: uint64, shape (N,): the examples' keys.
        policy: ``none``; ``crop``: shifted by up to S/16 pixels, edges repeated; ``flip_crop``: also mirrored
            with probability 1/2; ``resized_crop``: a random 35 to 100 % of the area, ratio 3/4 to 4/3,
            enlarged to S, and mirrored with probability 1/2 (Szegedy et al. 2015, arXiv 1409.4842); ``trivial``: as
            ``flip_crop``, then TrivialAugment (``data.trivial``).
        seed: The run's seed.
        epoch: Counted from 1.

    Returns:
        uint8, the same shape.
    """
    if policy == "none" or not len(keys):  # a worker's share may be empty
        return images_NSSC
    numbers = torch.from_numpy(uniforms(keys, derive_seed(seed, "augment", epoch), 8))
    mirrored = (numbers[:, 0] < 0.5) if policy != "crop" else torch.zeros(len(keys), dtype=torch.bool)
    if policy == "resized_crop":
        return _resized_crop(images_NSSC, numbers[:, 1:5].to(torch.float32), mirrored)
    shifted = _shift(images_NSSC, numbers[:, 1:3], mirrored)
    return trivial(shifted, numbers[:, 5:].numpy()) if policy == "trivial" else shifted


def _to_input_in_parts(images_NSSC: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Return the bits of torchvision's functions, 2.5 times as fast: parts fit into the cache."""
    num, size, _, channels = images_NSSC.shape
    x_NSSC = torch.empty(images_NSSC.shape, dtype=torch.float32)
    rows, pixels = (x.reshape(num, size, size * channels) for x in (x_NSSC, images_NSSC))
    means, stds = (torch.tensor(statistic).repeat(size) for statistic in (mean, std))
    part = max(1, _PART_BYTES // (4 * size * size * channels))
    for first in range(0, num, part):
        rows[first : first + part].copy_(pixels[first : first + part]).mul_(1 / 255).sub_(means).div_(stds)
    return x_NSSC.permute(0, 3, 1, 2)


def _shift(images_NSSC: torch.Tensor, numbers_N2: torch.Tensor, mirrored_N: torch.Tensor) -> torch.Tensor:
    size, device = images_NSSC.shape[1], images_NSSC.device
    reach = max(1, round(size / 16))
    offsets_N2 = (numbers_N2 * (2 * reach + 1)).long() - reach
    # Clamped indices repeat the edge, as padding by replication would.
    rows_NS, columns_NS = ((torch.arange(size) + offsets_N2[:, axis, None]).clamp(0, size - 1) for axis in (0, 1))
    columns_NS = torch.where(mirrored_N[:, None], columns_NS.flip(1), columns_NS)
    if device.type == "cpu":
        return _picked(images_NSSC, rows_NS, columns_NS)
    n = torch.arange(len(images_NSSC), device=device)[:, None, None]
    return images_NSSC[n, rows_NS[:, :, None].to(device), columns_NS[:, None, :].to(device)]


def _picked(images_NSSC: torch.Tensor, rows_NS: torch.Tensor, columns_NS: torch.Tensor) -> torch.Tensor:
    """Take rows, then columns, of each image; moving whole pixels is up to 4 times as fast as indexing."""
    source_NSS = np.ascontiguousarray(images_NSSC.numpy()).view("V3")[..., 0]
    picked_NSS = np.empty_like(source_NSS)
    for source, rows, columns, out in zip(source_NSS, rows_NS.numpy(), columns_NS.numpy(), picked_NSS, strict=True):
        np.take(source[rows], columns, axis=1, out=out)
    return torch.from_numpy(picked_NSS[..., None].view(np.uint8))


def _resized_crop(images_NSSC: torch.Tensor, numbers_N4: torch.Tensor, mirrored_N: torch.Tensor) -> torch.Tensor:
    area = _MIN_AREA + (1 - _MIN_AREA) * numbers_N4[:, 0]
    ratio = _MAX_RATIO ** (2 * numbers_N4[:, 1] - 1)
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(len(area), 2, 3)
    theta[:, 0, 0] = torch.where(mirrored_N, -width, width)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (1 - width) * (2 * numbers_N4[:, 2] - 1)
    theta[:, 1, 2] = (1 - height) * (2 * numbers_N4[:, 3] - 1)
    x = images_NSSC.permute(0, 3, 1, 2).to(torch.float32)
    grid = nn.functional.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
    cropped = nn.functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return cropped.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
