"""One pass of the frozen stages a batch, for all the runs that read it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from translearn.boundary import chain
from translearn.boundary.layout import to_boundary
from translearn.data.examples import Examples
from translearn.data.image_set import ImageSet
from translearn.data.transforms import augment, to_input
from translearn.models.network import Network


class Feed:
    """What runs that share a source's frozen stages read, a batch at a time: the boundary at each depth.

    It is computed once for all of them, each depth from the one below, or read where it is stored. Both give the same
    bits (see ``boundary.chain``).

    Attributes:
        seconds: Wall time spent in ``batch`` so far. On a GPU without what is still under way there.
    """

    def __init__(
        self,
        network: Network,
        depths: Collection[int],
        data: ImageSet,
        *,
        precision: str,
        device: torch.device,
        chunk: int | None = None,
        augment: str = "none",
        seed: int = 0,
        views: int = 0,
        stored: Mapping[int, Examples] | None = None,
    ) -> None:
        """Takes a source and what is asked of it.

        Args:
            network: On the device. The caller freezes its stages up to the last depth; they are put into eval mode.
            depths: Freeze depths; 0 is the network's input.
            data: The split that ``batch`` takes rows of.
            precision: A resolved one: ``fp32`` or ``bf16``.
            device: Where boundaries are computed and given.
            chunk: The stages always run on exactly so many images at a time; None: on batches as they come.
            augment: The policy of ``data.transforms.augment``.
            seed: The augmentation's.
            views: 0: each epoch has its own augmentation. k: epoch e has that of epoch ((e - 1) % k) + 1, so k fixed
                augmented copies of the data, an approximation.
            stored: By depth, the boundary of every example as in ``boundary.layout``, at this chunk and precision; with
                views, that of the row ``row`` in view v (from 0) lies at v * N + row.
        """
        self.network, self.depths, self.data = chain.settled(network, max(depths)), tuple(depths), data
        self.precision, self.device, self.chunk = precision, device, chunk
        self.augment, self.seed, self.views = augment, seed, views if augment != "none" else 0
        self.stored = dict(stored or {})
        assert self.views or augment == "none" or not self.stored, "a stored boundary has one augmentation"
        self.starts = chain.starts(self.depths, self.stored)
        self.seconds = 0.0

    def batch(self, rows: np.ndarray, epoch: int) -> dict[int, Tensor]:
        """The boundaries of the examples in these rows, in an epoch (counted from 1), by depth.

        Returns:
            On the device: float32 (N, 3, S, S) at depth 0; else in the precision's dtype (N, channels, height, width)
            in channels_last memory, or features (N, D) at the last depth. Runs share them: nobody may change them.
        """
        started = time.perf_counter()
        view = (epoch - 1) % self.views if self.views else 0
        known: dict[int, chain.Pieces] = {}
        for depth in self.starts:
            known[depth] = self._at(depth, rows, epoch, view, known)
        batch = {depth: chain.whole(known[depth], len(rows)) for depth in self.depths}
        self.seconds += time.perf_counter() - started
        return batch

    def _at(
        self, depth: int, rows: np.ndarray, epoch: int, view: int, known: Mapping[int, chain.Pieces]
    ) -> chain.Pieces:
        start = self.starts[depth]
        if start is not None:
            return chain.run(self.network.stages(start, depth), known[start], self.precision, self.device)
        if depth in self.stored:
            stored = self.stored[depth][rows + view * len(self.data)]
            return chain.pieces(to_boundary(stored, self.precision).to(self.device, non_blocking=True), self.chunk)
        return chain.pieces(self._input(rows, view + 1 if self.views else epoch), self.chunk)

    def _input(self, rows: np.ndarray, epoch: int) -> Tensor:
        pixels = torch.from_numpy(self.data.images[rows]).to(self.device, non_blocking=True)
        return to_input(augment(pixels, self.data.keys[rows], self.augment, self.seed, epoch))
