"""Small sources on disk, in each format, for the tests of ingest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.images.pixels import encode_png


def image(number: int, size: int = 12) -> bytes:
    """A PNG that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size + 2, 3))
    return encode_png(pixels.astype(np.uint8))


def write_files(root: Path, files: dict[str, bytes]) -> Path:
    """Writes files below a folder, which is made."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def flat_folder(root: Path, num: int = 20, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Class folders with ``num`` images each."""
    names = [f"{name}/{index:03d}.png" for name in classes for index in range(num)]
    return write_files(root, {name: image(number) for number, name in enumerate(names)})


def split_folder(root: Path, splits: dict[str, int], classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Split folders of class folders, with so many images a class."""
    names = [f"{split}/{name}/{i}.png" for split, num in splits.items() for name in classes for i in range(num)]
    return write_files(root, {name: image(number) for number, name in enumerate(names)})


def hugging_face(path: Path, labels: list, start: int = 0, names: list[str] | None = None) -> Path:
    """A Parquet file as Hugging Face's datasets writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": image(start + index), "path": None} for index in range(len(labels))]
    table = pa.table({"image": images, "label": labels})
    if names is not None:
        info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, path, row_group_size=4)
    return path
