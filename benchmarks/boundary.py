"""Epoch time by freeze depth: boundaries read from the cache against computed anew, training suffix included.

Both give the same bits. Synthetic images, no augmentation, SGD with momentum, batch 32, fp32.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import interleaved, ratio, run, spread
from torch import nn

from translearn.boundary.cache import Budget, Cache, Stored
from translearn.boundary.feed import Feed
from translearn.data.batches import epoch_batches
from translearn.data.images.examples import Examples
from translearn.data.images.image_set import ImageSet
from translearn.models.freeze import freeze
from translearn.models.network import Network, build

BATCH, CLASSES, PRECISION, CPU = 32, 10, "fp32", torch.device("cpu")
GIB = 2**30
#: Images an epoch, by size: enough batches for a mean, and no more.
NUM_IMAGES = {64: 256, 224: 64}
REPEATS = 3


def measure(quick: bool) -> dict[str, Any]:
    """Each architecture and size: seconds an epoch at each depth both ways, their ratio, and what filling took."""
    cases = [("resnet18", 64)] if quick else [(arch, size) for arch in ("resnet18", "resnet50") for size in (64, 224)]
    share = 2 if quick else 1
    return {f"{arch}_{size}": _case(arch, size, NUM_IMAGES[size] // share) for arch, size in cases}


def _case(arch: str, size: int, num_images: int) -> dict[str, Any]:
    network, data = build(arch, CLASSES, seed=0), _images(num_images, size)
    with tempfile.TemporaryDirectory(dir=_memory()) as memory, tempfile.TemporaryDirectory() as disk:
        cache = Cache(Budget(Path(memory) / "cache", 4 * GIB), Budget(Path(disk) / "cache", 4 * GIB))
        depths = range(1, len(network.stage_names) + 1)
        cases = {network.stage_names[depth - 1]: _depth(cache, network, data, depth) for depth in depths}
        cache.close()
    return {"images": len(data), "depths": cases}


def _depth(cache: Cache, network: Network, data: ImageSet, depth: int) -> dict[str, Any]:
    kept = _stored(cache, network, data, depth)
    variants: dict[str, Callable[[], float]] = {
        "cached_s": partial(_epoch, network, data, depth, kept.arrays),
        "recomputed_s": partial(_epoch, network, data, depth, {}),
    }
    interleaved(variants, 1)  # warm
    seconds = interleaved(variants, REPEATS)
    return {
        **{name: spread(values) for name, values in seconds.items()},
        "ratio": ratio(seconds["recomputed_s"], seconds["cached_s"]),
        "filling_s": kept.seconds,
        "filling_epochs": kept.seconds / statistics.median(seconds["recomputed_s"]),
        "place": kept.plan[0].place,
        "bytes_per_image": kept.plan[0].bytes // len(data),
    }


def _stored(cache: Cache, network: Network, data: ImageSet, depth: int) -> Stored:
    """With so many reads that it is kept whatever it saves."""
    return cache.stored(
        source="benchmark",
        network=network,
        depths=(depth,),
        data=data,
        data_key="benchmark",
        precision=PRECISION,
        device=CPU,
        chunk=BATCH,
        num_reads=10**6,
        threads=torch.get_num_threads(),
    )


def _epoch(network: Network, data: ImageSet, depth: int, stored: Mapping[int, Examples]) -> float:
    network = copy.deepcopy(network)
    freeze(network, depth)
    suffix = network.suffix(depth)
    optimizer = torch.optim.SGD([p for p in suffix.parameters() if p.requires_grad], lr=0.01, momentum=0.9)
    feed = Feed(network, (depth,), data, precision=PRECISION, device=CPU, chunk=BATCH, stored=stored)
    started = time.perf_counter()
    for rows in epoch_batches(len(data), BATCH, seed=0, epoch=1):
        loss = nn.functional.cross_entropy(suffix(feed.batch(rows, 1)[depth]), torch.from_numpy(data.labels[rows]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def _images(num: int, size: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num) % CLASSES, np.arange(num, dtype=np.uint64))


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    run("boundary", measure)
