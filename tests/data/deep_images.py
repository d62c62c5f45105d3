"""Files of more than 8 bits, which Pillow writes of grey pixels only."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def tiff(pixels: np.ndarray) -> bytes:
    """A TIFF of grey pixels."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="TIFF")
    return stream.getvalue()


def png_16(pixels: np.ndarray, transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of 16 bits: uint16, shape (H, W, C) with C of 1 to 4; ``transparent`` is a value that means so."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = {b"IHDR": header, b"tRNS": struct.pack(f">{len(transparent)}H", *transparent)}
    chunks |= {b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks.items()
        if content or kind != b"tRNS"
    )


def tiff_16(pixels: np.ndarray, packed: bool, photometric: int = 2, extra: tuple[int, ...] = ()) -> bytes:
    """A TIFF of 16-bit colours: uint16, shape (H, W, C); ``extra`` tells of what comes after the colours."""
    height, width, channels = pixels.shape
    data = zlib.compress(pixels.astype("<u2").tobytes()) if packed else pixels.astype("<u2").tobytes()
    bits = 8 + 2 + 12 * (10 + len(extra)) + 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, bits), (259, 3, 1, 8 if packed else 1)]
    tags += [(262, 3, 1, photometric), (273, 4, 1, bits + 2 * channels), (277, 3, 1, channels), (278, 4, 1, height)]
    tags += [(279, 4, 1, len(data)), (284, 3, 1, 1), *((338, 3, 1, kind) for kind in extra)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return start + struct.pack(f"<{channels}H", *([16] * channels)) + data
