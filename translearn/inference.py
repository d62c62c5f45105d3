"""A network's opinion on a whole split, each example exactly once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from translearn.arithmetic import autocast
from translearn.data.batches import worker_part
from translearn.data.image_set import ImageSet
from translearn.data.transforms import to_input
from translearn.team import Team

BATCH_SIZE = 256


def logits(
    network: nn.Module, images: ImageSet, precision: str, team: Team
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Yields (rows, float32 logits (n, C)) of this worker's share of a split, a batch at a time.

    The network is put into eval mode. ``precision`` is a resolved one (see ``arithmetic``).
    """
    network.eval()
    mine = worker_part(np.arange(len(images)), team.rank, team.num_workers)
    for first in range(0, len(mine), BATCH_SIZE):
        rows = mine[first : first + BATCH_SIZE]
        pixels = torch.from_numpy(images.images[rows]).to(team.device, non_blocking=True)
        with torch.inference_mode(), autocast(precision, team.device):
            z = network(to_input(pixels)).float()
        yield rows, z  # outside, so that a caller does not run in these contexts


def probabilities(network: nn.Module, images: ImageSet, precision: str, device: torch.device) -> np.ndarray:
    """The class probabilities of every example: float64, shape (N, C), each row sums to 1."""
    parts = [z.double().softmax(1).cpu().numpy() for _, z in logits(network, images, precision, Team(device=device))]
    return np.concatenate(parts)


def loss_and_error(network: nn.Module, images: ImageSet, precision: str, team: Team) -> tuple[float, float]:
    """The mean cross-entropy (nats, lower is better) and the error (a fraction in [0, 1]) on a split.

    Exact at any number of workers: losses, mistakes and examples are summed, then divided once.
    """
    sums = torch.zeros(3, dtype=torch.float64, device=team.device)
    for rows, z in logits(network, images, precision, team):
        labels = torch.from_numpy(images.labels[rows]).to(team.device)
        loss = nn.functional.cross_entropy(z, labels, reduction="none").double().sum()
        mistakes = (z.argmax(1) != labels).sum().double()
        sums += torch.stack([loss, mistakes, torch.full_like(loss, len(rows))])
    total_loss, num_errors, num = team.sum(sums).tolist()
    return total_loss / num, num_errors / num
