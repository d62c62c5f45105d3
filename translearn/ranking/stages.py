"""What a source makes of a target's images at each of its stages: the features that scores are computed from.

Shapes: N images, C_d channels of the boundary at freeze depth d, Z source classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from translearn.boundary.feed import Feed
from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network
from translearn.training.inference import BATCH_SIZE
from translearn.training.precision import autocast


@dataclass(frozen=True, eq=False)
class StageFeatures:
    """Features of the same images at every freeze depth of a source.

    Attributes:
        features: By freeze depth, from 1 to the number of stages: float32, shape (N, C_d), the spatial mean of the
            boundary; at the last depth the input of the head.
        probabilities: float64, shape (N, Z): the source head's; None where the source has no head.
    """

    features: Mapping[int, np.ndarray]
    probabilities: np.ndarray | None

    @property
    def last(self) -> np.ndarray:
        """The features at the last depth, (N, D)."""
        return self.features[max(self.features)]


def stage_features(
    network: Network, data: ImageSet, rows: np.ndarray, *, has_head: bool, precision: str, device: torch.device
) -> StageFeatures:
    """Features at every stage, in one pass over the images, without augmentation.

    Args:
        network: The source, on the device; it is put into eval mode.
        data: A split; its labels are not read.
        rows: Integers, shape (N,): which images, in this order.
        has_head: Whether the network's head is the source's own.
        precision: A resolved one: ``fp32`` or ``bf16``.
        device: Where the network is.
    """
    depths = range(1, len(network.stage_names) + 1)
    feed = Feed(network, depths, data, precision=precision, device=device)
    blocks = np.split(rows, range(BATCH_SIZE, len(rows), BATCH_SIZE))
    pooled: dict[int, list[np.ndarray]] = {depth: [] for depth in depths}
    decided: list[np.ndarray] = []
    for boundaries in feed.batches(blocks, epoch=1):
        for depth in depths:
            pooled[depth].append(_pooled(boundaries[depth]))
        if has_head:
            decided.append(_probabilities(network, boundaries[depths[-1]], precision, device))
    features = {depth: np.concatenate(parts) for depth, parts in pooled.items()}
    return StageFeatures(features, np.concatenate(decided) if has_head else None)


def _pooled(boundary: Tensor) -> np.ndarray:
    x = boundary.float()
    return np.asarray((x.mean((2, 3)) if x.ndim == 4 else x).cpu().numpy())


def _probabilities(network: Network, boundary: Tensor, precision: str, device: torch.device) -> np.ndarray:
    head = network.suffix(len(network.stage_names)).eval()
    with torch.no_grad(), autocast(precision, device):
        z_NZ = head(boundary)
    return np.asarray(z_NZ.double().softmax(1).cpu().numpy())
