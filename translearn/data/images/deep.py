"""Pixels of more than 8 bits: their values, and how these become 8 bits.

Files of 16 bits often hold values of 10 or 12, as the camera or the microscope gave them. So the value that becomes
white belongs to the data set: see ``white_of``.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

#: The value that becomes white where nothing else is known: all 16 bits are used.
WHITE = 65535

# Pillow keeps the upper byte of 16-bit colours. Read in the other order of bytes, a file gives the lower one.
_OTHER = "B" if sys.byteorder == "little" else "L"
_SWAPPED = {
    f"{mode};16{order}": f"{mode};16{swapped}"
    for mode in ("RGB", "RGBA")
    for order, swapped in (("B", "L"), ("L", "B"), ("N", _OTHER))
}
_BAND = 2**24  # pixels

_Args = tuple[Any, ...] | str | None


def is_deep_grey(image: Image.Image) -> bool:
    """Return whether an image has one value a pixel, an integer of more than 8 bits."""
    return image.mode.startswith("I")


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened image, not loaded yet, has integers of more than 8 bits, of grey or of colours."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return is_deep_grey(image) or any(_raw_mode(tile.args) in _SWAPPED for tile in tiles[:1])


def deep_values(image: Image.Image, content: bytes) -> np.ndarray:
    """Return all bits of a deep image, upright: integers, shape (H, W), or (H, W, 3 or 4) of colours.

    Args:
        image: Opened, not loaded yet.
        content: The file that it was opened from.
    """
    if is_deep_grey(image):
        return np.asarray(ImageOps.exif_transpose(image))
    upper, lower = ImageOps.exif_transpose(image), ImageOps.exif_transpose(_lower(image, content))
    values: np.ndarray = np.asarray(upper).astype(np.uint16)
    values <<= 8
    values |= np.asarray(lower)
    return values


def white_of(peak: int) -> int:
    """Return the value that becomes white, from the largest of a data set: the largest of as many bits.

    >>> white_of(4000), white_of(600), white_of(65535), white_of(0)
    (4095, 1023, 65535, 65535)
    """
    return int(2 ** int(peak).bit_length() - 1) if peak > 0 else WHITE


def to_8_bits(values: np.ndarray, white: int) -> Image.Image:
    """Return an image of values clipped to 0..white, times 255, divided by white and rounded down."""
    found = np.empty(values.shape, dtype=np.uint8)
    step = max(1, _BAND // values[0].size)
    for first in range(0, len(values), step):  # a large image in wide integers would take eight times its size
        band = values[first : first + step].astype(np.int64).clip(0, white)
        found[first : first + step] = band * 255 // white
    return Image.fromarray(found)


def _raw_mode(args: _Args) -> str:
    """Return how pixels lie in a file, from the arguments of its decoder: the first of them, or the only one."""
    return str(args[0] if isinstance(args, tuple) else args)


def _lower(image: Image.Image, content: bytes) -> Image.Image:
    assert image.format
    lower = Image.open(io.BytesIO(content), formats=(image.format,))
    lower.tile = [tile._replace(args=_swapped(tile.args)) for tile in lower.tile]
    return lower


def _swapped(args: _Args) -> _Args:
    swapped = _SWAPPED[_raw_mode(args)]
    return (swapped, *args[1:]) if isinstance(args, tuple) else swapped
