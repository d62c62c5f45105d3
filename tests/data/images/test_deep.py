"""All bits of a file are read, and become 8 by the value that is white."""

from __future__ import annotations

import io

import numpy as np
import pytest
from deep_images import png_16, tiff, tiff_16
from PIL import Image

from translearn.data.images.deep import deep_values, is_deep, white_of
from translearn.data.images.pixels import Decoding, encode_png, open_rgb, opened

GREY = np.random.default_rng(0).integers(0, 4096, (5, 7)).astype(np.uint16)
COLOURS = np.random.default_rng(1).integers(0, 4096, (5, 7, 3)).astype(np.uint16)
ALPHA = np.concatenate([COLOURS, np.full((5, 7, 1), 4095, np.uint16)], axis=2)
GREY_ALPHA = ALPHA[..., 2:]
FILES = {
    "png": (encode_png(Image.fromarray(GREY)), GREY),
    "tiff": (tiff(GREY), GREY),
    "32 bits": (tiff(GREY.astype(np.int32) << 8), GREY.astype(np.int64) << 8),
    "colours": (png_16(COLOURS), COLOURS),
    "alpha": (png_16(ALPHA), ALPHA),
    "grey and alpha": (png_16(GREY_ALPHA), GREY_ALPHA),
    "tiff of colours": (tiff_16(COLOURS, packed=False), COLOURS),
    "packed tiff of colours": (tiff_16(COLOURS, packed=True), COLOURS),
}


@pytest.mark.parametrize("kind", FILES)
def test_all_bits_are_read_and_scaled(kind):
    content, expected = FILES[kind]
    with opened(content) as image:
        assert is_deep(image)
        assert np.array_equal(deep_values(image, content), expected)
    white = white_of(int(expected.max()))
    rgb = np.asarray(open_rgb(content, Decoding(white=white)))
    scaled = np.atleast_3d(expected.astype(np.int64) * 255 // white)
    assert np.array_equal(rgb, scaled[..., :3] if scaled.shape[2] > 2 else np.repeat(scaled[..., :1], 3, axis=2))


@pytest.mark.parametrize("full", [4095, 65535])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_as_many_bits_or_of_16_lies_on_white(full, channels):
    pixels = np.full((1, 3, channels), 1000, np.uint16)
    pixels[0, :, -1] = full, full // 2, 0
    shown = np.asarray(open_rgb(png_16(pixels), Decoding(white=4095)))[0, :, 0]
    assert np.abs(shown - np.array([62, 62 // 2 + 128, 255])).max() <= 1


@pytest.mark.parametrize("white", [4095, 65535])
@pytest.mark.parametrize("key", [(1000,), (1000, 2000, 3000)])
def test_a_value_that_means_transparent_lies_on_white(key, white):
    pixels = np.array([[key, [value + 1 for value in key]]], np.uint16)
    shown = np.asarray(open_rgb(png_16(pixels, key), Decoding(white=white)))[0]
    assert shown[0].tolist() == [255] * 3
    assert shown[1].tolist() == [(value + 1) * 255 // white for value in key] * (3 // len(key))


@pytest.mark.parametrize("full", [4095, 65535])
@pytest.mark.parametrize("packed", [False, True])
def test_colours_that_were_multiplied_by_alpha_are_divided_again(full, packed):
    pixels = np.full((1, 3, 4), full // 2, np.uint16)
    pixels[0, :, -1] = full, full // 2, 0
    pixels[0, :2, 0], pixels[0, 2] = 100, 0
    content = tiff_16(pixels, packed, extra=(1,))
    with opened(content) as image:
        values = deep_values(image, content)[0].tolist()
    assert values == [[100, full // 2, full // 2, full], [200, full, full, full // 2], [0, 0, 0, 0]]
    shown = np.asarray(open_rgb(content, Decoding(white=full)))[0, :, 1]
    assert np.abs(shown - np.array([127, 255, 255])).max() <= 1


def test_16_bits_of_ink_become_8():
    inks = np.random.default_rng(2).integers(0, 65536, (5, 7, 4)).astype(np.uint16)
    expected = Image.fromarray((inks >> 8).astype(np.uint8), mode="CMYK").convert("RGB")
    assert np.array_equal(np.asarray(open_rgb(tiff_16(inks, packed=False, photometric=5))), np.asarray(expected))


def test_where_all_16_bits_are_used_colours_keep_the_upper_8():
    assert np.array_equal(np.asarray(open_rgb(png_16(COLOURS * 16))), COLOURS // 16)


def test_images_of_8_bits_know_no_white():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(np.asarray(open_rgb(encode_png(pixels), Decoding(white=1023))), pixels)


def test_a_value_above_white_is_white():
    content = tiff(np.full((4, 4), 60_000, np.uint16))
    assert open_rgb(content, Decoding(white=4095)).getpixel((0, 0)) == (255, 255, 255)


def test_deep_images_are_turned_upright():
    image = Image.fromarray(GREY)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image.save(stream, format="PNG", exif=exif)
    with opened(stream.getvalue()) as image:
        assert np.array_equal(deep_values(image, stream.getvalue()), np.rot90(GREY, -1))
