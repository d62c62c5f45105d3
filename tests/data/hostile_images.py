"""Images made to do harm, and the means to make more."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(ls) (r) file\n"
OTHERS = {
    "EPS": EPS,
    "EPS in DOS form": struct.pack("<4sII20x", b"\xc5\xd0\xd3\xc6", 32, len(EPS)) + EPS,
    "PDF": b"%PDF-1.4\n",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "WMF": b"\xd7\xcd\xc6\x9a\x00\x00" + bytes(40),
    "ICO": b"\x00\x00\x01\x00\x01\x00" + bytes(40),
}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*extra: bytes, interlace: int = 0) -> bytes:
    """A PNG of 8 x 8 pixels with other chunks before them."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, interlace)
    pixels = zlib.compress((b"\0" + bytes(24)) * 8)
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def saved(kind: str, pages: int = 1, **options: object) -> bytes:
    stream = io.BytesIO()
    images = [Image.new("RGB", (9, 7), (n % 256, n // 256, 0)) for n in range(pages)]
    more = {"save_all": True, "append_images": images[1:]} if pages > 1 else {}
    images[0].save(stream, format=kind, **more, **options)
    return stream.getvalue()


def tags(*entries: tuple[int, int, int, int]) -> bytes:
    """EXIF or TIFF: a directory of (tag, type, count, value), whose next directory is itself."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 8)
