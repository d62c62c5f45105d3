"""Decoding of encoded bytes to RGB pixels with Pillow, for all images."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from translearn.data.images.deep import WHITE, deep_values, has_key, is_deep, is_deep_grey, to_8_bits, with_key
from translearn.data.images.large import MAX_PIXELS, room_for

# The limit is ours, from the header and before decoding, so that it can be set for each data set and
# is the same for every image; Pillow's would warn at one number of pixels and raise at the double.
Image.MAX_IMAGE_PIXELS = None
# As PILLOW_BLOCK_SIZE. glibc keeps freed blocks of up to 32 MiB for the thread that had them, so that eight threads
# would hold eight large images; above, it returns them.
_imaging.set_block_size(2**30)
# A damaged file can warn 65,535 times, in every log; what matters of it is raised.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

#: The formats that are read. Not all that Pillow knows: it hands PostScript (EPS) to Ghostscript, a program of its own.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# A progressive JPEG has about ten; each of a few hundred bytes repaints the whole image. Some matches are no scans, but
# other data, for example of a video behind the image.
_SCAN, _MOST_SCANS = b"\xff\xda", 1000

_WHITE = (255, 255, 255, 255)
_OURS, _LONGEST = ("has ", "is not an image ", "does not exist", "cannot be read "), 200


@dataclass(frozen=True)
class Decoding:
    """The decoding of a data set's images, as far as it differs between data sets.

    Attributes:
        max_pixels: The most pixels (width times height) of an image.
        white: The value of pixels of more than 8 bits that becomes white.
    """

    max_pixels: int = MAX_PIXELS
    white: int = WHITE


#: Of images that belong to no data set.
USUAL = Decoding()


@contextmanager
def opened(content: bytes, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open an image by its header, and check it; of large images one at a time is open on a node.

    Args:
        content: An encoded image in one of ``FORMATS``, which its bytes tell; of several frames, the first.
        max_pixels: The most pixels (width times height).

    Yields:
        The image, not loaded yet.

    Raises:
        ValueError: It is in no format of ``FORMATS``, has more pixels than ``max_pixels``, or scans without end.
    """
    with _identified(content) as image:
        num_pixels = image.width * image.height
        if num_pixels > max_pixels:
            raise ValueError(f"has {num_pixels} pixels, more than max_pixels, {max_pixels}")
        if image.format in ("JPEG", "MPO") and (num_scans := content.count(_SCAN)) > _MOST_SCANS:
            raise ValueError(f"has {num_scans} scans, more than {_MOST_SCANS}")
        with room_for(num_pixels), closing(image):
            yield image


def open_rgb(content: bytes, decoding: Decoding = USUAL) -> Image.Image:
    """Decode a whole image; see ``opened`` and ``loaded_rgb``."""
    with opened(content, decoding.max_pixels) as image:
        return loaded_rgb(image, content, decoding.white)


def loaded_rgb(image: Image.Image, content: bytes, white: int, draft_size: int | None = None) -> Image.Image:
    """Load an opened image.

    Args:
        image: Opened from ``content``.
        content: An encoded image.
        white: The value of pixels of more than 8 bits that becomes white; of colours the upper 8 bits, where it is
            that of all 16 bits.
        draft_size: The least side, in pixels, that is needed: JPEG files may be decoded to a smaller size, several
            times faster. None for the full size.

    Returns:
        The image in mode RGB, turned upright by its EXIF orientation. Transparent pixels lie on white.

    Raises:
        ValueError: It has floating-point pixels.
        Exception: Any of Pillow's on damaged files: mostly OSError, but decoders differ.
    """
    if is_deep(image) and (white != WHITE or has_key(image)):
        return _to_rgb(to_8_bits(deep_values(image, content), white), white)
    if draft_size is not None:
        image.draft("RGB", (draft_size, draft_size))
    image.load()
    return upright_rgb(image, white)


def upright_rgb(image: Image.Image, white: int = WHITE) -> Image.Image:
    """Return a loaded image as ``loaded_rgb`` does. Raises ValueError where its pixels are floating-point numbers."""
    return _to_rgb(ImageOps.exif_transpose(image), white)


def reason(error: Exception) -> str:
    """Return why an image could not be read, from what was raised: ``has 9 pixels, more than 4``."""
    text = str(error)
    return text if text.startswith(_OURS) else f"cannot be decoded ({text[:_LONGEST] or type(error).__name__})"


def _identified(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"is not an image in one of the formats {', '.join(FORMATS)}") from None


def encode_png(image: Image.Image | np.ndarray) -> bytes:
    """Encode an image, or uint8 pixels of shape (H, W) or (H, W, 3), as PNG."""
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, format="PNG")
    return stream.getvalue()


def _to_rgb(image: Image.Image, white: int) -> Image.Image:
    if image.mode == "F":
        raise ValueError("has floating-point pixels, whose range is not defined")
    if is_deep_grey(image):
        image = to_8_bits(with_key(image), white)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
