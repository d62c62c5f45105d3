"""A network with its preprocessing's arithmetic and its calibration inside: pixels in, class probabilities out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Class probabilities of images that are decoded and resized already.

    Attributes:
        network: From float images, normalised, to logits.
        temperature: The divisor of the logits that calibrates the probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], temperature: float | None = None
    ) -> None:
        """Take over a network.

        Args:
            network: From float32 images, shape (N, 3, S, S), to logits, shape (N, C).
            mean: Of each of R, G, B, in [0, 1].
            std: The same.
            temperature: The divisor of the logits; None for 1.
        """
        super().__init__()
        self.network = network
        self.temperature = 1.0 if temperature is None else temperature
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(3, 1, 1))

    def forward(self, images_N3SS: Tensor) -> Tensor:
        """Return the class probabilities, float32 (N, C), of uint8 images, shape (N, 3, S, S), R, G, B."""
        x_N3SS = (images_N3SS.to(torch.float32) * (1 / 255) - self.mean) / self.std
        return torch.softmax(self.network(x_N3SS).to(torch.float32) / self.temperature, dim=1)
