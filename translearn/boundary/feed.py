"""One pass of the frozen stages a batch, for all the runs that read it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from translearn.boundary import chain
from translearn.boundary.layout import to_boundary
from translearn.data.images.examples import Examples, in_order
from translearn.data.images.image_set import ImageSet
from translearn.data.prefetch import ahead
from translearn.data.transforms import augment, to_input
from translearn.models.network import Network


class Feed:
    """What runs that share a source's frozen stages read, a batch at a time: the boundary at each depth.

    It is computed once for all of them, each depth from the one below, or read where it is stored. Both give the same
    bits (see ``boundary.chain``).

    The wall time spent in ``batch`` so far is in ``segments_s``; on a GPU without what is still under way there.
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
        self._waiting_s, self._reading_s = 0.0, dict.fromkeys(self.starts, 0.0)
        self._computing_s = dict.fromkeys(self.starts, 0.0)

    @property
    def segments_s(self) -> dict[int, float]:
        """Seconds by segment: to each depth of ``starts`` from the one where it begins, or from where it is read.

        What is read ahead counts as far as it was waited for, by what each reading took.
        """
        part = self._waiting_s / (sum(self._reading_s.values()) or 1.0)
        return {depth: self._computing_s[depth] + part * self._reading_s[depth] for depth in self.starts}

    def batch(self, rows: np.ndarray, epoch: int) -> dict[int, Tensor]:
        """The boundaries of the examples in these rows, in an epoch (counted from 1), by depth.

        Returns:
            On the device: float32 (N, 3, S, S) at depth 0; else in the precision's dtype (N, channels, height, width)
            in channels_last memory, or features (N, D) at the last depth. Runs share them: nobody may change them.
        """
        return next(self.batches([rows], epoch))

    def batches(self, blocks: Iterable[np.ndarray], epoch: int) -> Iterator[dict[int, Tensor]]:
        """``batch`` of each block of rows, in order; on a GPU the next one is read and copied meanwhile."""
        listed = list(blocks)
        view = (epoch - 1) % self.views if self.views else 0
        pixels = in_order(self.data.images, listed)
        sent = ahead((self._read(rows, view, pixels) for rows in listed), self.device)
        for rows in listed:
            started = time.perf_counter()
            read = next(sent)
            self._waiting_s += time.perf_counter() - started
            yield self._batch(read, rows, view + 1 if self.views else epoch)

    def _read(self, rows: np.ndarray, view: int, pixels: Iterator[np.ndarray]) -> tuple[Tensor, ...]:
        """What a batch is made from, in CPU memory: pixels, the next ones, or stored boundaries."""
        read = (depth for depth, start in self.starts.items() if start is None)
        return tuple(self._read_at(depth, rows, view, pixels) for depth in read)

    def _read_at(self, depth: int, rows: np.ndarray, view: int, pixels: Iterator[np.ndarray]) -> Tensor:
        with _counted(self._reading_s, depth):
            if depth in self.stored:
                return to_boundary(self.stored[depth][rows + view * len(self.data)], self.precision)
            return torch.from_numpy(next(pixels))

    def _batch(self, read: Iterable[Tensor], rows: np.ndarray, epoch: int) -> dict[int, Tensor]:
        given, known = iter(read), dict[int, chain.Pieces]()
        for depth, start in self.starts.items():
            with _counted(self._computing_s, depth):
                if start is not None:
                    stages = self.network.stages(start, depth)
                    known[depth] = chain.run(stages, known[start], self.precision, self.device)
                elif depth in self.stored:
                    known[depth] = chain.pieces(next(given), self.chunk)
                else:
                    pixels = augment(next(given), self.data.keys[rows], self.augment, self.seed, epoch)
                    known[depth] = chain.pieces(to_input(pixels), self.chunk)
        return {depth: chain.whole(known[depth], len(rows)) for depth in self.depths}


@contextmanager
def _counted(seconds: dict[int, float], depth: int) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[depth] += time.perf_counter() - started
