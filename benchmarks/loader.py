"""Reading epochs of shuffled, augmented batches: ours from memory, disk and stream, against ImageFolder and DataLoader.

Both deliver float batches of the network's input, the short side scaled and the centre square cut, shifted and
mirrored at random, at the same batch size. Images are small JPEG files of noise, made in a temporary folder. Each
reader runs in a process of its own: after an epoch that is not timed (where ours decodes to disk) come those timed.
Peak memory is the resident memory of that process, libraries included (about 0.8 GB), plus that of torchvision's two
workers, which share a part of theirs with it; it counts pages of mapped files, which the system takes back under
pressure. `ratio` is images per second over torchvision's of the same turn.

`growth` is memory over the number of images, small ones (32 pixels, decoded to 64), an epoch of each reader: `peak_mib`
as above, `own_mib` the most that no file is behind, looked at after each batch. `flat` is `own_mib` at the most images
over that at the fewest.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import anonymous_bytes, apart, interleaved, peak_rss_bytes, ratio, run, spread
from made_images import make_folder
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from translearn.data.batches import epoch_batches
from translearn.data.dataset import open_dataset
from translearn.data.images.decode import Selection, decode_split, select_split
from translearn.data.images.on_disk import DiskImages
from translearn.data.images.streamed import stream
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.data.transforms import MEAN, STD, augment, to_input
from translearn.storage.folder import Folder

_BATCH_SIZE, _WORKERS = 64, 2


def measure(quick: bool) -> dict[str, Any]:
    num, side, size, epochs, repeats = (600, 96, 64, 2, 2) if quick else (2000, 256, 224, 2, 3)
    with tempfile.TemporaryDirectory() as folder:
        _ingested(folder, num, side)
        peaks: dict[str, list[float]] = {name: [] for name in _READERS}
        variants = {name: _variant(name, folder, size, epochs, peaks[name]) for name in _READERS}
        speeds = interleaved(variants, repeats)
    return {
        "images": {"num": num, "side": side, "size": size, "batch_size": _BATCH_SIZE, "epochs": epochs},
        "img_s": {name: spread(found) for name, found in speeds.items()},
        "peak_mib": {name: spread(found) for name, found in peaks.items()},
        "growth": _growth([500, 2000] if quick else [2000, 10_000, 50_000]),
        "ratio": {name: ratio(found, speeds["torchvision"]) for name, found in speeds.items() if name != "torchvision"},
    }


def _growth(nums: list[int]) -> dict[str, Any]:
    own: dict[str, dict[str, float]] = {name: {} for name in ("disk", "stream")}
    peaks: dict[str, dict[str, float]] = {name: {} for name in own}
    for num in nums:
        with tempfile.TemporaryDirectory() as folder:
            _ingested(folder, num, 32)
            for name in own:
                own_bytes, peak_bytes = apart(_own_bytes, name, folder)
                own[name][str(num)], peaks[name][str(num)] = own_bytes / 2**20, peak_bytes / 2**20
    flat = {name: found[str(nums[-1])] / found[str(nums[0])] for name, found in own.items()}
    return {"own_mib": own, "peak_mib": peaks, "flat": flat}


def _own_bytes(name: str, folder: str) -> int:
    """The most memory that no file is behind, over the epoch after the one in which ours decodes to disk."""
    torch.set_num_threads(1)
    tempfile.tempdir = folder
    batches = _READERS[name](folder, 64)
    return max(anonymous_bytes() for epoch in (1, 2) for _ in batches(epoch))


def _ingested(folder: str, num: int, side: int) -> None:
    make_folder(Path(folder) / "in", num, side)
    plan = plan_ingest(str(Path(folder) / "in"))
    ingest(plan, Folder.open(Path(folder) / "out"), inspected(plan))


def _variant(name: str, folder: str, size: int, epochs: int, peaks: list[float]) -> Callable[[], float]:
    def once() -> float:
        (speed, more_bytes), own_bytes = apart(_read, name, folder, size, epochs)
        peaks.append((own_bytes + more_bytes) / 2**20)
        return float(speed)

    return once


def _read(name: str, folder: str, size: int, epochs: int) -> tuple[float, int]:
    """Images per second, and the peak memory of worker processes."""
    torch.set_num_threads(1)
    tempfile.tempdir = folder  # images on disk go where they are deleted afterwards
    batches, more_bytes = _READERS[name](folder, size), 0
    sum(len(batch) for batch, _ in batches(1))
    started, num = time.perf_counter(), 0
    for epoch in range(2, 2 + epochs):
        for batch, child_bytes in batches(epoch):
            num, more_bytes = num + len(batch), max(more_bytes, child_bytes)
    return num / (time.perf_counter() - started), more_bytes


Batches = Callable[[int], Iterator[tuple[torch.Tensor, int]]]


def _ours(make: Callable[[Selection], Any]) -> Callable[[str, int], Batches]:
    def reader(folder: str, size: int) -> Batches:
        selection = select_split(open_dataset(f"{folder}/out"), "train", size)
        images = make(selection)

        def batches(epoch: int) -> Iterator[tuple[torch.Tensor, int]]:
            for rows in epoch_batches(len(selection.rows), _BATCH_SIZE, 0, epoch):
                pixels = torch.from_numpy(images[rows])
                yield to_input(augment(pixels, selection.keys[rows], "flip_crop", 0, epoch)), 0

        return batches

    return reader


def _in_memory(selection: Selection) -> np.ndarray:
    return np.asarray(decode_split(selection.dataset, "train", selection.image_size).images)


def _torchvision(folder: str, size: int) -> Batches:
    steps = [v2.PILToTensor(), v2.Resize(size, antialias=True), v2.CenterCrop(size), v2.RandomHorizontalFlip()]
    steps += [v2.RandomCrop(size, padding=size // 16, padding_mode="edge")]
    steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    found = ImageFolder(f"{folder}/in", v2.Compose(steps))
    loader = DataLoader(found, _BATCH_SIZE, shuffle=True, num_workers=_WORKERS, persistent_workers=True)

    def batches(_: int) -> Iterator[tuple[torch.Tensor, int]]:
        for x, _labels in loader:
            yield x, 0
        workers = multiprocessing.active_children()
        yield x[:0], sum(peak_rss_bytes(worker.pid) for worker in workers)

    return batches


_READERS = {
    "memory": _ours(_in_memory),
    "disk": _ours(DiskImages),
    "stream": _ours(stream),
    "torchvision": _torchvision,
}

if __name__ == "__main__":
    run("loader", measure)
