"""Which boundary a stored one is: a SHA-256 over everything that its bits depend on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import numpy as np
import torch
import torchvision

from translearn.data import transforms
from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network
from translearn.models.weights import fingerprint

_NUM_SAMPLED = 64


@dataclass(frozen=True)
class Wanted:
    """The boundaries that are asked for, at all depths.

    Attributes:
        source: The source's fingerprint.
        network: It; the weights of the frozen stages are looked at.
        data: The examples, of the identity ``data_key``.
        augment, seed, views: The augmentation; without one, seed and views do not matter.
        precision, chunk, threads, device: How the stages run.
    """

    source: str
    network: Network
    data: ImageSet
    data_key: str
    precision: str
    device: torch.device
    chunk: int | None
    threads: int
    augment: str = "none"
    seed: int = 0
    views: int = 0

    @property
    def num_views(self) -> int:
        """Copies of each example that are stored."""
        return self.views if self.augment != "none" else 1

    def key(self, depth: int) -> str:
        """Equal only for boundaries of equal bits."""
        stages = fingerprint(self.network.prefix(depth).state_dict())
        return _digest(self.common, self.network.arch, depth, stages)

    @cached_property
    def common(self) -> str:
        """The part of ``key`` that all depths share."""
        augmentation = (self.augment, self.seed, self.views) if self.augment != "none" else ()
        way = (self.precision, self.chunk, self.threads, _kind(self.device))
        libraries = (torch.__version__, torchvision.__version__, np.__version__)
        made_by = (version("translearn"), transforms.REVISION, transforms.MEAN, transforms.STD, *libraries)
        return _digest(self.source, self.data_key, _content(self.data), augmentation, way, made_by)


def _content(data: ImageSet) -> str:
    """The examples' keys in order, their size, and the pixels of a few spread over them."""
    sampled = np.unique(np.linspace(0, len(data) - 1, min(len(data), _NUM_SAMPLED)).astype(np.int64))
    parts = (np.asarray(data.keys), np.asarray(data.images[sampled]))
    return _digest(data.images.shape, *(hashlib.sha256(part.tobytes()).hexdigest() for part in parts))


def _kind(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(repr, parts)).encode()).hexdigest()
