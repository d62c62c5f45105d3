"""Caches that must keep what they are asked for; also run as a process of its own: ``cache_cases.py FOLDER``."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from boundary_cases import CPU, source, split

from translearn.boundary import planning
from translearn.boundary.cache import Budget, Cache, Stored
from translearn.boundary.feed import Feed
from translearn.boundary.measure import Chain, Rate, measure_chain

PLENTY = 10**9
#: Five units.
SEVERAL_UNITS: dict[str, Any] = {"depths": (1, 2), "num": 1060, "chunk": 32, "threads": 1}


def cache(folder: Path, memory: int = PLENTY, disk: int = PLENTY) -> Cache:
    return Cache(Budget(folder / "memory", memory), Budget(folder / "disk", disk))


def stored(one: Cache, depths: tuple[int, ...] = (1, 2, 3, 4, 5), num: int = 20, **changes: Any) -> Stored:
    """So many reads that every depth is worth keeping."""
    given: dict[str, Any] = {"source": "s", "network": source(), "data": split(num), "data_key": "k", "chunk": 8}
    more = {"precision": "fp32", "device": CPU, "num_reads": 10**6, "threads": torch.get_num_threads()}
    return one.stored(depths=depths, **{**given, **more, **changes})


def fast_places(folder: Path, device: torch.device) -> Rate:
    """In place of ``measure_rate``: decisions must not depend on how busy the machine is."""
    return Rate(1e13, 1e13) if folder.name == "memory" else Rate(1e12, 1e12)


def slow_stages(*args: Any) -> Chain:
    """In place of ``measure_chain``: a millisecond a stage, and the real bytes."""
    found = measure_chain(*args)
    return Chain(1e-4, (1e-3,) * len(found.bytes), found.bytes)


def places(found: Stored) -> dict[int, str]:
    return {one.depth: one.place for one in found.plan}


def digest(found: Stored) -> str:
    """Of all bits."""
    return hashlib.sha256(b"".join(array[:].tobytes() for _, array in sorted(found.arrays.items()))).hexdigest()


def fill_and_tell(folder: Path) -> None:
    """Waits for a line, fills several units, tells how many examples it computed and the bits, waits for the end."""
    torch.set_num_threads(1)
    computed, batch = 0, Feed.batch

    def counted(self: Feed, rows: np.ndarray, epoch: int) -> dict[int, torch.Tensor]:
        nonlocal computed
        computed += len(rows)
        print("filling", flush=True)
        return batch(self, rows, epoch)

    planning.measure_chain, planning.measure_rate = slow_stages, fast_places
    Feed.batch = counted  # type: ignore[method-assign]
    one = cache(folder)
    print("ready", flush=True)
    sys.stdin.readline()
    found = stored(one, **SEVERAL_UNITS)
    print(f"done {computed} {digest(found)}", flush=True)
    sys.stdin.read()
    one.close()


if __name__ == "__main__":
    fill_and_tell(Path(sys.argv[1]))
