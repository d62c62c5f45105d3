"""Forward passes over a whole split: each example once, at any number of workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from translearn.data.batches import worker_part
from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network
from translearn.training.distributed import DistributedContext
from translearn.training.inputs import inputs
from translearn.training.precision import autocast

BATCH_SIZE = 256


def blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Return the rows a batch at a time: blocks of ``BATCH_SIZE`` rows, the last one shorter."""
    return [rows[first : first + BATCH_SIZE] for first in range(0, len(rows), BATCH_SIZE)]


def worker_blocks(num_examples: int, context: DistributedContext) -> list[np.ndarray]:
    """Return the rows of this worker's share of a split, a batch at a time."""
    return blocks(worker_part(np.arange(num_examples), context.worker_rank, context.num_workers))


def logits(
    network: Network, images: ImageSet, precision: str, context: DistributedContext
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield float32 logits (n, C) and int64 labels (n,) of this worker's share of a split, in order, a batch at a time.

    The network is put into eval mode. ``precision`` is a resolved one (see ``precision``).
    """
    network.eval()
    mine = worker_blocks(len(images), context)
    for x, labels in inputs(images, mine, context.device, normalisation=network.normalisation):
        with torch.inference_mode(), autocast(precision, context.device):
            z = network(x).float()
        yield z, labels  # outside, so that a caller does not run in these contexts


def probabilities(network: Network, images: ImageSet, precision: str, device: torch.device) -> np.ndarray:
    """Return the class probabilities of every example: float64, shape (N, C), each row sums to 1."""
    context = DistributedContext(device=device)
    return np.concatenate([z.double().softmax(1).cpu().numpy() for z, _ in logits(network, images, precision, context)])


def tally(z_NC: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
    """Return the sum of the cross-entropies (nats), the mistakes and the examples of a batch: float64, shape (3,)."""
    loss = nn.functional.cross_entropy(z_NC, labels_N, reduction="none").double().sum()
    mistakes = (z_NC.argmax(1) != labels_N).sum().double()
    return torch.stack([loss, mistakes, torch.full_like(loss, len(labels_N))])


def loss_and_error(
    network: Network, images: ImageSet, precision: str, context: DistributedContext
) -> tuple[float, float]:
    """Return the mean cross-entropy (nats, lower is better) and the error (a fraction in [0, 1]) on a split.

    Exact at any number of workers: losses, mistakes and examples are summed, then divided once.
    """
    sums = torch.zeros(3, dtype=torch.float64, device=context.device)
    for z, labels in logits(network, images, precision, context):
        sums += tally(z, labels)
    total_loss, num_errors, num = context.sum(sums).tolist()
    return total_loss / num, num_errors / num
