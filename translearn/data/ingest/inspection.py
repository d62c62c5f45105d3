"""Inspection of every image of a source: reads, decodes and digests it, or gives the reason why it is bad."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
from PIL import Image

from translearn.data.formats.reader import Reader
from translearn.data.images.pixels import open_rgb, reason
from translearn.data.ingest.schema import INSPECTED


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
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()


def _inspect(row: dict[str, Any], content: bytes | str, max_pixels: int) -> dict[str, Any]:
    named = {"id": row["id"], "split": row["split"], "label": row["label"]}
    if row["label"] is None:
        return named | {"reason": "has no label"}
    if isinstance(content, str):
        return named | {"reason": content}
    try:
        image = open_rgb(content, max_pixels)
    except Exception as error:  # decoders raise anything on a damaged file, struct.error and SyntaxError too
        return named | {"reason": reason(error)}
    size = {"width": image.width, "height": image.height}
    return named | size | {"image": content, "digest": pixel_digest(image)}
