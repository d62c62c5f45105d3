"""A folder of made JPEG files, as large as a benchmark needs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from translearn.seeds import generator

_CLASSES = 10


def make_folder(folder: Path, num: int, side: int) -> None:
    """Writes ``num`` square JPEG files of smooth noise, ``side`` pixels wide, into ten folders named after classes."""
    for label in range(_CLASSES):
        (folder / str(label)).mkdir(parents=True)
    for index in range(num):
        coarse = generator(0, "made", index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        image.save(folder / str(index % _CLASSES) / f"{index:06d}.jpg", quality=90)
