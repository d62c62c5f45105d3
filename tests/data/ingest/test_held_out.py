"""Near duplicates across splits: left out of train on request, whatever their encoding."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sources import write_files

from translearn.data.images.pixels import encode_png
from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.storage.folder import Folder

_NUM = {"train": 3, "val": 2, "test": 2}


def _photo(number: int, size: int = 48) -> Image.Image:
    """A smooth picture that no other number has."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    """Splits of two classes, with a frame of the test image ``dog/0`` and one of the val image ``cat/1`` in train."""
    nums = _NUM
    names = [f"{split}/{name}/{i}.png" for split, num in nums.items() for name in ("cat", "dog") for i in range(num)]
    photos = {name: _photo(number) for number, name in enumerate(names)}
    files = {name: encode_png(photo) for name, photo in photos.items()}
    brighter = Image.eval(photos["test/dog/0.png"], lambda value: min(255, value + 6))
    files |= {"train/dog/frame.jpg": _jpeg(brighter, 85), "train/cat/frame.jpg": _jpeg(photos["val/cat/1.png"], 60)}
    return write_files(tmp_path_factory.mktemp("frames"), files)


@pytest.mark.parametrize("batch_rows", [64, 3])
def test_near_duplicates_are_dropped_from_train_and_listed(frames, tmp_path, batch_rows):
    plan = plan_ingest(str(frames), IngestOptions(drop_leaks=True))
    manifest = ingest(plan, Folder.open(tmp_path), inspected(plan, batch_rows)).manifest
    assert pq.read_table(tmp_path / "leaks.parquet").to_pylist() == [
        {"id": f"train/{name}/frame.jpg", "split": "train", "other_id": other, "other_split": split, "kind": "near"}
        for name, other, split in (("cat", "val/cat/1.png", "val"), ("dog", "test/dog/0.png", "test"))
    ]
    assert (manifest.num_leaks, manifest.leaks_dropped) == (2, 2)
    assert manifest.counts == {split: dict.fromkeys(("cat", "dog"), num) for split, num in _NUM.items()}


def test_without_the_option_nothing_is_decoded_twice_and_all_stays(frames, tmp_path):
    plan = plan_ingest(str(frames))
    manifest = ingest(plan, Folder.open(tmp_path), inspected(plan)).manifest
    assert (manifest.num_leaks, manifest.counts["train"]) == (0, {"cat": 4, "dog": 4})
