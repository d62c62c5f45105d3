"""Pixels of more than 8 bits: their values, and how these become 8 bits.

Files of 16 bits often hold values of 10 or 12, as the camera or the microscope gave them. So the value that becomes
white belongs to the data set: see ``white_of``.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

#: The value that becomes white where nothing else is known: all 16 bits are used.
WHITE = 65535

# Pillow keeps the upper byte of 16-bit colours. Read in the other order of bytes, a file gives the lower one.
_OTHER = "B" if sys.byteorder == "little" else "L"
_SWAPPED = {
    f"{mode};16{order}": f"{mode};16{swapped}"
    for mode in ("RGB", "RGBX", "RGBA")
    for order, swapped in (("B", "L"), ("L", "B"), ("N", _OTHER))
}
# Colours that were multiplied by alpha: read as they are, since Pillow divides bytes.
_MULTIPLIED = {f"RGBa;16{order}": f"RGBA;16{order}" for order in "LBN"}
# Grey with alpha has no other order; its four bytes a pixel are read as those of colours of 8 bits.
_GREY_ALPHA, _FOUR_BYTES = "LA;16B", "RGBA"
_BAND = 2**24  # pixels

_Args = tuple[Any, ...] | str | None


def is_deep_grey(image: Image.Image) -> bool:
    """Return whether an image has one value a pixel, an integer of more than 8 bits."""
    return image.mode.startswith("I")


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened image, not loaded yet, has integers of more than 8 bits, of grey or of colours."""
    return is_deep_grey(image) or _raw_mode(image) in {*_SWAPPED, *_MULTIPLIED, _GREY_ALPHA}


def has_key(image: Image.Image) -> bool:
    """Return whether an opened image has a value that means transparent, and no alpha channel."""
    return "transparency" in image.info


def deep_values(image: Image.Image, content: bytes) -> np.ndarray:
    """Return all bits of a deep image, upright: integers, shape (H, W, C), or (H, W) of grey.

    C is 3 of colours, and one more with alpha: that of the file, or of a value that means transparent.

    Args:
        image: Opened, not loaded yet.
        content: The file that it was opened from.
    """
    if is_deep_grey(image):
        return with_key(ImageOps.exif_transpose(image))
    if _raw_mode(image) == _GREY_ALPHA:
        return np.array(ImageOps.exif_transpose(_reread(image, content, lambda _: _FOUR_BYTES))).view(">u2")
    as_they_are = _MULTIPLIED.get(_raw_mode(image))
    if as_they_are:
        upper = _reread(image, content, lambda _: as_they_are)
        return _divided(_joined(upper, _reread(image, content, lambda _: _SWAPPED[as_they_are])))
    return _with_alpha(_joined(image, _reread(image, content, _SWAPPED.__getitem__)), image)


def with_key(image: Image.Image) -> np.ndarray:
    """Return the values of a loaded image; with an alpha channel more where one value means transparent."""
    return _with_alpha(np.asarray(image), image)


def has_alpha(values: np.ndarray) -> bool:
    """Return whether the last channel of ``deep_values`` is alpha."""
    return values.ndim == 3 and values.shape[2] in (2, 4)


def white_of(peak: int) -> int:
    """Return the value that becomes white, from the largest of a data set: the largest of as many bits.

    >>> white_of(4000), white_of(600), white_of(65535), white_of(0)
    (4095, 1023, 65535, 65535)
    """
    return int(2 ** int(peak).bit_length() - 1) if peak > 0 else WHITE


def to_8_bits(values: np.ndarray, white: int) -> Image.Image:
    """Return an image of values clipped to 0..white, times 255, divided by white and rounded down.

    An alpha channel with values above ``white`` has 16 bits of its own.
    """
    whites = np.full(values.shape[2:], white)
    if has_alpha(values) and values[..., -1].max() > white:
        whites[-1] = WHITE
    found = np.empty(values.shape, dtype=np.uint8)
    for band, out in zip(_bands(values), _bands(found), strict=True):
        out[:] = band.astype(np.int64).clip(0, whites) * 255 // whites
    return Image.fromarray(found)


def _joined(upper: Image.Image, lower: Image.Image) -> np.ndarray:
    """Return values of 16 bits, upright, from two readings of a file that kept 8 of them each."""
    values: np.ndarray = np.asarray(ImageOps.exif_transpose(upper)).astype(np.uint16)
    values <<= 8
    values |= np.asarray(ImageOps.exif_transpose(lower))
    return values


def _divided(values: np.ndarray) -> np.ndarray:
    """Return colours that were multiplied by alpha as they were before, rounded; ``values`` are changed in place."""
    opaque = np.uint32(white_of(int(values[..., 3].max())))
    for band in _bands(values):
        alpha = band[..., 3:].astype(np.uint32)
        band[..., :3] = ((band[..., :3] * opaque + alpha // 2) // alpha.clip(1)).clip(0, WHITE)
    return values


def _bands(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of rows: a large image in wide integers would take several times its size."""
    step = max(1, _BAND // values[0].size)
    for first in range(0, len(values), step):
        yield values[first : first + step]


def _with_alpha(values: np.ndarray, image: Image.Image) -> np.ndarray:
    if not has_key(image):
        return values
    is_shown = (np.atleast_3d(values) != image.info["transparency"]).any(axis=2)
    return np.dstack([values, is_shown * np.uint16(WHITE)])


def _raw_mode(image: Image.Image) -> str:
    """Return how the pixels of an image that is not loaded yet lie in its file; empty where there is no file."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return _first(tiles[0].args) if tiles else ""


def _first(args: _Args) -> str:
    """Return the raw mode of a decoder's arguments: the first of them, or the only one."""
    return str(args[0] if isinstance(args, tuple) else args)


def _reread(image: Image.Image, content: bytes, raw_mode: Callable[[str], str]) -> Image.Image:
    """Return an image opened again, its pixels read as if they lay otherwise in the file."""
    assert image.format
    again = Image.open(io.BytesIO(content), formats=(image.format,))
    again.tile = [tile._replace(args=_changed(tile.args, raw_mode)) for tile in again.tile]
    return again


def _changed(args: _Args, raw_mode: Callable[[str], str]) -> _Args:
    changed = raw_mode(_first(args))
    return (changed, *args[1:]) if isinstance(args, tuple) else changed
