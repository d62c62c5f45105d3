"""Measures what the cost model needs: stages by a few batches, places by a small array written and read."""

from __future__ import annotations

import functools
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from translearn.boundary import chain
from translearn.data.images.image_set import ImageSet
from translearn.data.images.mapped import write_mapped
from translearn.data.transforms import augment, to_input
from translearn.models.network import Network

_NUM_IMAGES, _NUM_PASSES, _MAX_S = 32, 3, 1.0
_PROBE_ROWS, _PROBE_ROW_BYTES = 512, 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True)
class Chain:
    """What frozen stages cost, an image.

    Attributes:
        input_s: Seconds from pixels to the network's input.
        stages_s: Seconds of each stage, input side first.
        bytes: Bytes of the boundary after each stage.
    """

    input_s: float
    stages_s: tuple[float, ...]
    bytes: tuple[int, ...]

    def prefix_s(self, depth: int) -> float:
        """Seconds from pixels to the boundary at a depth."""
        return self.input_s + sum(self.stages_s[:depth])


@dataclass(frozen=True)
class Rate:
    """How fast a place is, bytes a second."""

    read: float
    write: float


def measure_chain(
    network: Network, depth: int, data: ImageSet, policy: str, precision: str, device: torch.device, chunk: int | None
) -> Chain:
    """What an image costs on its way to the boundary at ``depth``, stage by stage; the least of a few passes."""
    rows = np.arange(min(chunk or _NUM_IMAGES, _NUM_IMAGES, len(data)))

    def pixels_to_input() -> torch.Tensor:
        images = torch.from_numpy(data.images[rows]).to(device)
        return to_input(augment(images, data.keys[rows], policy, 0, 1))

    x, input_s = _timed(pixels_to_input, device)
    stages_s, sizes = [], []
    for start in range(depth):
        stage = chain.settled(network, depth).stages(start, start + 1)
        after, seconds = _timed(functools.partial(chain.run, stage, (x,), precision, device), device)
        x = after[0]
        stages_s.append(seconds / len(rows))
        sizes.append(x[0].nbytes)
    return Chain(input_s / len(rows), tuple(stages_s), tuple(sizes))


def measure_rate(folder: Path, device: torch.device) -> Rate:
    """How fast a folder's disk is, and from there to the device: random rows that no cache holds, 32 MiB in all."""
    probe = folder / f"probe-{uuid.uuid4().hex[:8]}"
    array = np.random.default_rng(0).integers(0, 256, (_PROBE_ROWS, _PROBE_ROW_BYTES), dtype=np.uint8)
    try:
        started = time.perf_counter()
        mapped = write_mapped(probe, [array])
        _forget(probe)
        written = time.perf_counter()
        for rows in np.split(np.random.default_rng(1).permutation(_PROBE_ROWS), 16):
            torch.from_numpy(mapped[rows]).to(device)
        _wait(device)
        return Rate(array.nbytes / (time.perf_counter() - written), array.nbytes / (written - started))
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _forget(folder: Path) -> None:
    """Brings files to the disk and drops them from the page cache."""
    for path in folder.iterdir():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """What ``work`` gives, and its seconds; the first pass only counts where more would take too long."""
    times: list[float] = []
    while len(times) <= _NUM_PASSES and sum(times) < _MAX_S:
        _wait(device)
        started = time.perf_counter()
        result = work()
        _wait(device)
        times.append(time.perf_counter() - started)
    return result, min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
