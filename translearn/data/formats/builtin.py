"""Sources that need no file: scikit-learn's digits, and images drawn by a procedure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from translearn.data.formats.reader import listing_table
from translearn.data.images.pixels import encode_png
from translearn.data.procedural.glyphs import draw_glyph
from translearn.data.procedural.textures import TEXTURES, draw_texture

#: Draws an image: uint8, shape (size, size) or (size, size, 3), of a class, for a split, from (seed, index).
Draw = Callable[[int, str, int, int, int], np.ndarray]
#: Procedure's name to its classes and how it draws.
PROCEDURES: dict[str, tuple[tuple[str, ...], Draw]] = {
    "glyphs": (tuple("0123456789"), draw_glyph),
    "textures": (TEXTURES, lambda label, _split, *numbers: draw_texture(label, *numbers)),
}
_BLOCK = ("test",) * 3 + ("val",) * 3 + ("train",) * 14  # splits of 20 images of a class that follow each other


@dataclass(frozen=True)
class SklearnDigits:
    """The 1,797 handwritten digits of scikit-learn, 8 x 8 pixels; an id is ``all/<index>``."""

    is_local: ClassVar[bool] = False

    def listing(self) -> pa.Table:
        """See ``Reader``."""
        labels = [str(label) for label in _digits()[1]]
        return listing_table([f"all/{index}" for index in range(len(labels))], labels, ["train"] * len(labels))

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``."""
        images = _digits()[0]
        return (encode_png(images[int(key.split("/")[1])]) for key in keys)


@dataclass(frozen=True)
class Procedural:
    """Images drawn by a procedure, each a function of (seed, index); 70 % train, 15 % val, 15 % test.

    Attributes:
        name: A key of ``PROCEDURES``.
        num: The number of images, over all splits.
        size: Their side, in pixels.
        seed: Seeds the images.
    """

    name: str
    num: int = 4000
    size: int = 32
    seed: int = 0
    is_local: ClassVar[bool] = False

    def listing(self) -> pa.Table:
        """See ``Reader``."""
        classes = PROCEDURES[self.name][0]
        splits = [_BLOCK[index // len(classes) % len(_BLOCK)] for index in range(self.num)]
        ids = [f"{split}/{index}" for index, split in enumerate(splits)]
        return listing_table(ids, [classes[index % len(classes)] for index in range(self.num)], splits)

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``."""
        classes, draw = PROCEDURES[self.name]
        for key in keys:
            split, index = key.split("/")
            label = int(index) % len(classes)
            yield encode_png(draw(label, split, self.size, self.seed, int(index)))


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # imports slowly, and few sources need it

    digits = load_digits()
    return np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target
