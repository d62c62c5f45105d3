"""Every kind of image becomes upright 8-bit RGB; limits are checked before decoding."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from translearn.data.images.pixels import Decoding, encode_png, open_rgb


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def _pixel(content: bytes) -> tuple[int, int, int]:
    return open_rgb(content).getpixel((0, 0))


def test_png_of_rgb_pixels_comes_back_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    assert np.array_equal(np.asarray(open_rgb(encode_png(pixels))), pixels)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255), (128 * 257, 128)])
def test_16_bit_grey_is_scaled_not_clipped(value, expected):
    image = Image.fromarray(np.full((4, 4), value, dtype=np.uint16))
    assert _pixel(_encoded(image, "PNG")) == (expected,) * 3


def test_transparent_pixels_lie_on_white():
    assert _pixel(_encoded(Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "PNG")) == (255, 255, 255)
    assert _pixel(_encoded(Image.new("LA", (4, 4), (50, 255)), "PNG")) == (50, 50, 50)


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert _pixel(_encoded(image, "PNG")) == (40, 50, 60)
    assert _pixel(_encoded(image, "PNG", transparency=1)) == (255, 255, 255)


def test_cmyk_jpeg_becomes_rgb():
    red = _pixel(_encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert red[0] > 200
    assert max(red[1:]) < 60


def test_exif_orientation_is_honoured():
    image = Image.new("RGB", (8, 4))
    image.paste((255, 255, 255), (0, 0, 4, 4))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    upright = open_rgb(_encoded(image, "PNG", exif=exif))
    assert upright.size == (4, 8)
    assert upright.getpixel((0, 0)) == (255, 255, 255)
    assert upright.getpixel((0, 7)) == (0, 0, 0)


def test_limit_of_pixels_is_read_from_the_header():
    header = encode_png(np.zeros((3, 5), dtype=np.uint8))
    cut = header[:45]  # no pixel data, so decoding would fail otherwise
    with pytest.raises(ValueError, match=r"^has 15 pixels, more than max_pixels, 14$"):
        open_rgb(cut, Decoding(max_pixels=14))


def test_a_bomb_beyond_pillows_own_limit_has_the_same_reason():
    bomb = _encoded(Image.new("1", (20_000, 10_000)), "PNG")
    with pytest.raises(ValueError, match=r"^has 200000000 pixels, more than max_pixels, 89478485$"):
        open_rgb(bomb)


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match=r"^has floating-point pixels"):
        open_rgb(_encoded(Image.new("F", (4, 4)), "TIFF"))
