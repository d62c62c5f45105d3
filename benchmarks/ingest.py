"""Ingest against ImageFolder: images per second of checking a folder once, and peak memory as it grows.

Ours reads, decodes and digests every image, finds duplicates across splits and writes Parquet; torchvision's scans
the folder and decodes every image, and keeps nothing. Both in one process of one thread; `dataloader` is torchvision's
in two worker processes of a DataLoader, whose memory is counted in. Images are JPEG files of 32
pixels, made in a temporary folder: memory grows with their number, not with their size, if it grows at all. `flat` is
the peak at the most images over that at the fewest; `per_image_bytes` is what an image adds.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import apart, interleaved, peak_rss_bytes, ratio, run, spread
from made_images import make_folder

_SIDE, _WORKERS = 32, 2


def measure(quick: bool) -> dict[str, Any]:
    nums, repeats = ([1000, 4000], 2) if quick else ([2000, 10_000, 50_000], 3)
    found = {num: _measured(num, repeats if num == nums[0] else 1) for num in nums}
    names, (least, most) = tuple(_WORK), (nums[0], nums[-1])
    peaks = {name: {num: found[num][1][name] for num in nums} for name in names}
    speeds = {num: found[num][0] for num in nums}
    return {
        "images": {"num": nums, "side": _SIDE},
        "img_s": {name: {str(num): spread(speeds[num][name]) for num in nums} for name in names},
        "ratio": {
            name: {str(num): ratio(speeds[num]["translearn"], speeds[num][name]) for num in nums}
            for name in names
            if name != "translearn"
        },
        "peak_mib": {name: {str(num): peak / 2**20 for num, peak in peaks[name].items()} for name in names},
        "flat": {name: peaks[name][most] / peaks[name][least] for name in names},
        "per_image_bytes": {name: (peaks[name][most] - peaks[name][least]) / (most - least) for name in names},
    }


def _measured(num: int, repeats: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Images per second, and the highest peak of memory, of each in a process of its own."""
    peaks = dict.fromkeys(_WORK, 0)
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder) / "in", num, _SIDE)
        variants = {name: _variant(name, _WORK[name], folder, num, peaks) for name in peaks}
        return interleaved(variants, repeats), peaks


def _variant(
    name: str, work: Callable[[str], tuple[float, int]], folder: str, num: int, peaks: dict[str, int]
) -> Callable[[], float]:
    def once() -> float:
        (seconds, more_bytes), peak = apart(work, folder)
        peaks[name] = max(peaks[name], peak + more_bytes)
        return num / float(seconds)

    return once


def _ingest(folder: str) -> tuple[float, int]:
    """Seconds, and the peak memory of worker processes; so of the others."""
    from translearn.data.ingest.ingest import (  # in the measured process, as a user has it
        ingest,
        inspected,
        plan_ingest,
    )
    from translearn.storage.folder import Folder

    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        plan = plan_ingest(f"{folder}/in")
        ingest(plan, Folder.open(out), inspected(plan))
        return time.perf_counter() - started, 0


def _image_folder(folder: str) -> tuple[float, int]:
    from torchvision.datasets import ImageFolder

    started = time.perf_counter()
    for image, _ in ImageFolder(f"{folder}/in"):
        image.load()
    return time.perf_counter() - started, 0


def _data_loader(folder: str) -> tuple[float, int]:
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms.functional import pil_to_tensor

    started, more_bytes = time.perf_counter(), 0
    for _ in DataLoader(ImageFolder(f"{folder}/in", pil_to_tensor), 64, num_workers=_WORKERS):
        workers = multiprocessing.active_children()
        more_bytes = max(more_bytes, sum(peak_rss_bytes(worker.pid) for worker in workers))
    return time.perf_counter() - started, more_bytes


_WORK = {"translearn": _ingest, "torchvision": _image_folder, "dataloader": _data_loader}

if __name__ == "__main__":
    run("ingest", measure)
