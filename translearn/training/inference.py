"""Forward passes over a whole split: each example once, at any number of workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from translearn.data.batches import worker_part
from translearn.data.images.image_set import ImageSet
from translearn.data.transforms import to_input
from translearn.training.distributed import Team
from translearn.training.precision import autocast

BATCH_SIZE = 256


def blocks(num_examples: int, team: Team) -> Iterator[np.ndarray]:
    """The rows of this worker's share of a split, a batch at a time."""
    mine = worker_part(np.arange(num_examples), team.rank, team.num_workers)
    for first in range(0, len(mine), BATCH_SIZE):
        yield mine[first : first + BATCH_SIZE]


def logits(
    network: nn.Module, images: ImageSet, precision: str, team: Team
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Yields (rows, float32 logits (n, C)) of this worker's share of a split, a batch at a time.

    The network is put into eval mode. ``precision`` is a resolved one (see ``arithmetic``).
    """
    network.eval()
    for rows in blocks(len(images), team):
        pixels = torch.from_numpy(images.images[rows]).to(team.device, non_blocking=True)
        with torch.inference_mode(), autocast(precision, team.device):
            z = network(to_input(pixels)).float()
        yield rows, z  # outside, so that a caller does not run in these contexts


def probabilities(network: nn.Module, images: ImageSet, precision: str, device: torch.device) -> np.ndarray:
    """The class probabilities of every example: float64, shape (N, C), each row sums to 1."""
    parts = [z.double().softmax(1).cpu().numpy() for _, z in logits(network, images, precision, Team(device=device))]
    return np.concatenate(parts)


def tally(z_NC: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
    """The sum of the cross-entropies (nats), the mistakes, and the examples of a batch: float64, shape (3,)."""
    loss = nn.functional.cross_entropy(z_NC, labels_N, reduction="none").double().sum()
    mistakes = (z_NC.argmax(1) != labels_N).sum().double()
    return torch.stack([loss, mistakes, torch.full_like(loss, len(labels_N))])


def loss_and_error(network: nn.Module, images: ImageSet, precision: str, team: Team) -> tuple[float, float]:
    """The mean cross-entropy (nats, lower is better) and the error (a fraction in [0, 1]) on a split.

    Exact at any number of workers: losses, mistakes and examples are summed, then divided once.
    """
    sums = torch.zeros(3, dtype=torch.float64, device=team.device)
    for rows, z in logits(network, images, precision, team):
        sums += tally(z, torch.from_numpy(images.labels[rows]).to(team.device))
    total_loss, num_errors, num = team.sum(sums).tolist()
    return total_loss / num, num_errors / num
