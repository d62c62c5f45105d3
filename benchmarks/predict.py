"""Predicting a folder of JPEG files with a trained ResNet-18: `translearn predict` against a plain DataLoader loop.

Both decode with Pillow, take the central square at 64 pixels and write a CSV file of every class's probability, in one
process and fp32, with two decoding threads or workers. The loop has what makes such loops fast: JPEG drafts, uint8
tensors from the workers and normalisation by the batch, channels_last, inference_mode, forked workers that are two
batches ahead, a batch size of 64, results gathered and written once. Files are small JPEG files of noise, made in a
temporary folder. Each run is in a process of its own that has imported its libraries.

`img_s` is images a second of the whole run, from the folder to the file, in turn (A B A B ...), at the fewest images;
`ratio` is ours over the loop's of the same turn. `growth` is over the number of images, a run each: `img_s`, and
`peak_mib`, the peak of resident memory, of the loop with that of its workers. `flat` is the peak at the most images
over that at the fewest.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas  # noqa: F401 - pyarrow imports it at its first table
import torch
from common import apart, interleaved, peak_rss_bytes, ratio, run, spread, timed
from made_images import make_folder
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as tv

from translearn.cli import main
from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import FORMATS
from translearn.data.transforms import MEAN, STD
from translearn.deploy.bulk import predicted  # noqa: F401 - so that both have imported all before the clock starts
from translearn.deploy.model import load_model
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import build
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder

_SIZE, _SIDE, _CLASSES, _WORKERS, _BATCH_SIZE = 64, 96, 10, 2, 64


def measure(quick: bool) -> dict[str, Any]:
    nums, repeats = ([300, 1500], 2) if quick else ([1000, 10_000, 100_000], 5)
    growth: dict[str, dict[str, dict[str, float]]] = {}
    for num in nums:
        with tempfile.TemporaryDirectory() as place:
            _prepare(Path(place), num)
            if num == nums[0]:
                speeds = interleaved({name: _speed(name, place, num) for name in _READERS}, repeats)
            growth[str(num)] = {name: _grown(name, place, num) for name in _READERS}
    first, last = growth[str(nums[0])], growth[str(nums[-1])]
    return {
        "images": {"side": _SIDE, "size": _SIZE, "num": nums},
        "img_s": {name: spread(found) for name, found in speeds.items()},
        "ratio": ratio(speeds["translearn"], speeds["loop"]),
        "growth": growth,
        "flat": {name: last[name]["peak_mib"] / first[name]["peak_mib"] for name in _READERS},
    }


def _prepare(place: Path, num: int) -> None:
    make_folder(place / "images", num, _SIDE)
    fields = with_steps(Preprocessing(image_size=_SIZE, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS))
    info = ModelInfo(arch="resnet18", classes=tuple(map(str, range(_CLASSES))), preprocessing=fields)
    save_model(Folder.open(place / "model"), build("resnet18", _CLASSES, seed=0).state_dict(), info)


def _speed(name: str, place: str, num: int) -> Callable[[], float]:
    return lambda: num / apart(_run, name, place)[0][0]


def _grown(name: str, place: str, num: int) -> dict[str, float]:
    (seconds, more_bytes), own_bytes = apart(_run, name, place)
    return {"img_s": num / seconds, "peak_mib": (own_bytes + more_bytes) / 2**20}


def _run(name: str, place: str) -> tuple[float, int]:
    """Seconds, and the peak memory of worker processes."""
    more_bytes: list[int] = []
    seconds = timed(lambda: more_bytes.append(_READERS[name](Path(place))))
    return seconds, more_bytes[0]


def _ours(place: Path) -> int:
    main(["predict", str(place / "model"), str(place / "images"), "--out", str(place / "ours.csv"), "--overwrite"])
    return 0


class _Images(Dataset):
    def __init__(self, folder: Path) -> None:
        self.paths = sorted(os.path.join(top, name) for top, _, names in os.walk(folder) for name in names)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as image:
            image.draft("RGB", (3 * _SIZE, 3 * _SIZE))
            pixels = tv.pil_to_tensor(image.convert("RGB"))
        return tv.center_crop(tv.resize(pixels, [_SIZE], antialias=True), [_SIZE, _SIZE])


def _loop(place: Path) -> int:
    images, found = _Images(place / "images"), []
    network = load_model(place / "model", device="cpu").network
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    # Workers of a process that was spawned would be spawned too, and import everything first.
    options: dict[str, Any] = {"num_workers": _WORKERS, "prefetch_factor": 2, "multiprocessing_context": "fork"}
    loader = DataLoader(images, _BATCH_SIZE, **options)
    with torch.inference_mode():
        for batch in loader:
            x = batch.to(torch.float32, memory_format=torch.channels_last).div_(255).sub_(mean).div_(std)
            found.append(network(x).softmax(1))
    table = torch.cat(found).numpy()
    lines = [f"{path},{row.argmax()}," + ",".join(map(str, row)) for path, row in zip(images.paths, table, strict=True)]
    (place / "loop.csv").write_text("\n".join(lines))
    return sum(peak_rss_bytes(worker.pid) for worker in multiprocessing.active_children())


_READERS = {"translearn": _ours, "loop": _loop}

if __name__ == "__main__":
    run("predict", measure)
