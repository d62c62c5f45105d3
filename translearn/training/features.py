"""Features of a source for given images: those that a head is trained on, and those of every stage for ranking.

Shapes: N images, D features, C_d channels of the output of the first d stages, Z source classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.inference import blocks
from translearn.training.inputs import inputs
from translearn.training.precision import autocast


@dataclass(frozen=True, eq=False)
class ProbeFeatures:
    """Probe features of a source: the input of the head for each image of a task, without augmentation.

    Attributes:
        train: Of the training split: float32, shape (N, D), in CPU memory.
        val: Of the validation split, likewise.
    """

    train: Tensor
    val: Tensor


def trains_head_alone(config: TrainConfig, network: Network) -> bool:
    """Return whether a run is a linear probe: then validation images have the same features in every epoch."""
    return config.freeze_depth == len(network.stage_names)


def reads_features(config: TrainConfig, network: Network) -> bool:
    """Return whether a run reads probe features: it trains the head alone, on images without augmentation."""
    return trains_head_alone(config, network) and not config.train.changes_images


def probe_features(network: Network, images: ImageSet, precision: str, context: DistributedContext) -> Tensor:
    """Return the probe features of a split, on every worker.

    Blocks of images are the same at any number of workers, so the features differ by nothing but the hardware.

    Args:
        network: On the context's device; it is put into eval mode.
        images: The split (the whole of it, on every worker).
        precision: A resolved one: ``fp32`` or ``bf16``.
        context: The workers, which take the blocks in turn.

    Returns:
        As the head's weights, float32, shape (N, D), in CPU memory.
    """
    every = blocks(np.arange(len(images)))
    network.eval()
    mine = every[context.worker_rank :: context.num_workers]
    features_ND = torch.zeros(len(images), network.num_features, dtype=network.head.weight.dtype)
    given = inputs(images, mine, context.device, normalisation=network.normalisation)
    for rows, (x, _) in zip(mine, given, strict=True):
        with torch.no_grad(), autocast(precision, context.device):
            features_ND[rows] = network.features(x).to(features_ND)
    if context.num_workers > 1:
        for rows in every:  # a block at a time, because a GPU may not hold them all
            features_ND[rows] = context.sum(features_ND[rows].to(context.device)).cpu()
    return features_ND


def stage_features(
    network: Network, images: ImageSet, *, has_head: bool, precision: str, device: torch.device
) -> tuple[dict[int, np.ndarray], np.ndarray | None]:
    """Return features at every stage, in one pass over the images, without augmentation.

    Args:
        network: The source, on the device; it is put into eval mode.
        images: The images; their labels are not read.
        has_head: Whether the network's head is the source's own.
        precision: A resolved one: ``fp32`` or ``bf16``.
        device: Where the network is.

    Returns:
        By freeze depth, from 1 to the number of stages, the mean of the stage's output over positions: float32, shape
        (N, C_d). And the probabilities of the source's head: float64, shape (N, Z); None where it has no head.
    """
    network.eval()
    depths = range(1, len(network.stage_names) + 1)
    means: dict[int, list[np.ndarray]] = {depth: [] for depth in depths}
    decided: list[np.ndarray] = []
    rows = blocks(np.arange(len(images)))
    for x_n3SS, _ in inputs(images, rows, device, normalisation=network.normalisation):
        with torch.no_grad(), autocast(precision, device):
            outputs, z_nZ = network.outputs(x_n3SS)
        for depth, output_nC in zip(depths, outputs, strict=True):
            means[depth].append(output_nC.float().cpu().numpy())
        decided.append(z_nZ.double().softmax(1).cpu().numpy())
    features = {depth: np.concatenate(parts) for depth, parts in means.items()}
    return features, np.concatenate(decided) if has_head else None
