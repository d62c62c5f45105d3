"""Inspection of every image of a source: reads, decodes and digests it, or gives the reason why it is bad."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from translearn.data.formats.reader import Reader
from translearn.data.images.deep import WHITE, deep_values, has_alpha, is_deep, white_of
from translearn.data.images.pixels import loaded_rgb, opened, reason
from translearn.data.ingest.schema import INSPECTED

_BAND = 2**24  # pixels


def inspect_batch(listing: pa.Table, reader: Reader, max_pixels: int) -> pa.Table:
    """Read and check a batch of examples.

    Args:
        listing: Rows of a plan's listing: id, label (int32, null where there is none), split, key.
        reader: Reads an image's bytes by its key.
        max_pixels: The most pixels an image may have.

    Returns:
        A table of schema ``INSPECTED``, in the order of the listing. Bad rows have a reason and no image.
    """
    contents = reader.read(listing["key"].to_pylist())
    rows = zip(listing.to_pylist(), contents, strict=True)
    return pa.Table.from_pylist([_inspect(row, content, max_pixels) for row, content in rows], schema=INSPECTED)


def pixel_digest(image: Image.Image) -> str:
    """Return the SHA-256, in hex, of an RGB image's size and pixels: the same for every lossless encoding."""
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    step = max(1, _BAND // image.width)
    for top in range(0, image.height, step):  # in bands: the bytes of a large image would be another copy of it
        digest.update(image.crop((0, top, image.width, min(top + step, image.height))).tobytes())
    return digest.hexdigest()


def _inspect(row: dict[str, Any], content: bytes | str, max_pixels: int) -> dict[str, Any]:
    named = {"id": row["id"], "split": row["split"], "label": row["label"]}
    if row["label"] is None:
        return named | {"reason": "has no label"}
    if isinstance(content, str):
        return named | {"reason": content}
    try:
        with opened(content, max_pixels) as image:
            return named | {"image": content} | _facts(image, content)
    except Exception as error:  # decoders raise anything on a damaged file, struct.error and SyntaxError too
        return named | {"reason": reason(error)}


def _facts(image: Image.Image, content: bytes) -> dict[str, Any]:
    frames = bool(getattr(image, "is_animated", False)) and image.format not in ("JPEG", "MPO")  # others are previews
    facts = _deep_facts(deep_values(image, content)) if is_deep(image) else _rgb_facts(image, content)
    return facts | {"frames": frames}


def _rgb_facts(image: Image.Image, content: bytes) -> dict[str, Any]:
    rgb = loaded_rgb(image, content, WHITE)
    lows, highs = zip(*rgb.getextrema(), strict=True)
    size = {"width": rgb.width, "height": rgb.height}
    return size | {"digest": pixel_digest(rgb), "lows": lows, "highs": highs, "deep": False}


def _deep_facts(values: np.ndarray) -> dict[str, Any]:
    """Return the facts of an image of more than 8 bits: of all bits, which become 8 by the data set's ``white``."""
    height, width = values.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}:{values.shape[2:]}:".encode())
    channels = _shown(values).reshape(height, width, -1)
    for row in values:
        digest.update(row.astype("<i8").tobytes())
    lows, highs = (found((0, 1)).tolist() for found in (channels.min, channels.max))
    size = {"width": width, "height": height}
    return size | {"digest": digest.hexdigest(), "lows": lows, "highs": highs, "deep": True}


def _shown(values: np.ndarray) -> np.ndarray:
    """Return deep values as they show on white: without alpha, and white where they are transparent."""
    if not has_alpha(values):
        return values
    colours, is_shown = values[..., :-1], values[..., -1:] > 0
    if is_shown.all():  # another copy of a large image would be too much
        return colours
    peak = int(colours.max(where=is_shown, initial=0))
    return np.where(is_shown, colours, white_of(peak) if peak else 255)
