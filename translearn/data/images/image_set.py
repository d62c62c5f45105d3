"""Decoded images of a split with labels and keys, as every network reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.data.images.examples import Examples, View


@dataclass(frozen=True)
class ImageSet:
    """Decoded images of one split, all of one size.

    Attributes:
        images: uint8, shape (N, S, S, 3), RGB; in memory, on disk or decoded when read. Index it by rows, once a
            batch: the result is then in memory, and may be read-only.
        labels: int64, shape (N,), in [0, C).
        keys: uint64, shape (N,): ``seeds.example_key`` of each example's id; seeds its augmentation.
    """

    images: Examples
    labels: np.ndarray
    keys: np.ndarray

    def __post_init__(self) -> None:
        assert self.images.dtype == np.uint8
        assert self.images.ndim == 4
        assert self.images.shape[3] == 3
        assert len(self.images) == len(self.labels) == len(self.keys)

    @property
    def image_size(self) -> int:
        """S, the side of the images in pixels."""
        return int(self.images.shape[1])

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> ImageSet:
        """Return the examples in these rows, in this order."""
        return ImageSet(self.images[rows], self.labels[rows], self.keys[rows])

    def view(self, rows: np.ndarray) -> ImageSet:
        """Return the same as ``take`` without reading the images yet."""
        return ImageSet(View(self.images, rows), self.labels[rows], self.keys[rows])
