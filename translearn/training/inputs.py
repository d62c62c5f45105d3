"""Batches of a split as a network takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from translearn.data.images.examples import in_order
from translearn.data.images.image_set import ImageSet
from translearn.data.mixing import erase
from translearn.data.prefetch import ahead
from translearn.data.transforms import augment, to_input
from translearn.models.preprocessing import IMAGENET, Normalisation


def inputs(
    data: ImageSet,
    blocks: Sequence[np.ndarray],
    device: torch.device,
    policy: str = "none",
    seed: int = 0,
    epoch: int = 1,
    normalisation: Normalisation = IMAGENET,
    erasing: float = 0.0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the network's input and the labels of each block of rows, in order; on a GPU one block is read ahead.

    Args:
        data: A split.
        blocks: Integers, shape (n,) each; a block may be empty.
        device: Where the tensors are wanted.
        policy, seed, epoch: As for ``data.transforms.augment``.
        normalisation: The network's.
        erasing: The probability of ``data.mixing.erase``.

    Yields:
        float32 (n, 3, S, S) in channels_last memory, and int64 (n,).
    """
    labels = (torch.from_numpy(data.labels[rows]) for rows in blocks)
    pixels = (torch.from_numpy(images) for images in in_order(data.images, blocks))
    for rows, (images_NSSC, labels_N) in zip(blocks, ahead(zip(pixels, labels, strict=True), device), strict=True):
        augmented_NSSC = augment(images_NSSC, data.keys[rows], policy, seed, epoch)
        yield to_input(erase(augmented_NSSC, data.keys[rows], erasing, seed, epoch), *normalisation), labels_N


def feature_inputs(
    features_ND: Tensor, labels_N: np.ndarray, blocks: Sequence[np.ndarray], device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """As ``inputs``, from features in CPU memory: yield float32 (n, D) and int64 (n,) of each block of rows."""
    batches = ((features_ND[rows], torch.from_numpy(labels_N[rows])) for rows in blocks)
    return ((features_nD, labels_n) for features_nD, labels_n in ahead(batches, device))
