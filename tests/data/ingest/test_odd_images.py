"""Images that may not show what a person sees in them are told of; a data set of one colour is refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from deep_images import png_16, tiff
from PIL import Image
from sources import flat_folder, write_files

from translearn.data.dataset import Dataset
from translearn.data.images.decode import decode_split, select_split
from translearn.data.images.pixels import encode_png
from translearn.data.images.streamed import stream
from translearn.data.ingest.ingest import ingest
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.errors import DataError
from translearn.storage.folder import Folder


def ingested(source: Path, out: Path, **options) -> Dataset:
    plan = plan_ingest(str(source), IngestOptions(**options))
    return ingest(plan, Folder.open(out), inspected(plan))


def notes(dataset: Dataset) -> list[str]:
    return list(map(str, dataset.manifest.notes))


def deep(number: int, bits: int, shape: tuple[int, ...] = (12, 14)) -> np.ndarray:
    """Noise that uses so many bits."""
    return np.random.default_rng(number).integers(0, 2**bits, shape).astype(np.uint16)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("encode", [lambda p: encode_png(Image.fromarray(p)), tiff])
def test_10_and_12_bits_of_16_are_scaled_to_white(tmp_path, bits, encode):
    files = {f"{name}/{n}.png": encode(deep(n + 10 * (name == "b"), bits)) for name in "ab" for n in range(6)}
    dataset = ingested(write_files(tmp_path / "in", files), tmp_path / "out")
    white = 2**bits - 1
    assert dataset.manifest.white == white
    [told] = notes(dataset)
    assert told.startswith(
        f"images of more than 8 bits, which use {bits}: scaled so that {white} is white: 12 (first: "
    )
    images = decode_split(dataset, "train", 12).images
    assert images.max() > 240
    assert 100 < images.mean() < 150
    assert np.array_equal(stream(select_split(dataset, "train", 12))[slice(None)], images)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_12_bits_of_16_bit_colours_and_alpha_too(tmp_path, channels):
    shape = (12, 14, channels)
    files = {
        f"{name}/{n}.png": png_16(opaque(deep(n + 10 * (name == "b"), 12, shape))) for name in "ab" for n in range(6)
    }
    dataset = ingested(write_files(tmp_path / "in", files), tmp_path / "out")
    assert dataset.manifest.white == 4095
    assert 100 < decode_split(dataset, "train", 12).images.mean() < 150


def opaque(pixels: np.ndarray) -> np.ndarray:
    """Deep pixels with their alpha channel, if any, at its largest value; hidden ones are as bright as can be."""
    if pixels.shape[2] in (2, 4):
        pixels[..., -1] = 65535
        pixels[0, 0] = (*[65535] * (pixels.shape[2] - 1), 0)
    return pixels


def test_black_on_transparent_shows_something_and_transparent_alone_nothing(tmp_path):
    shape, hidden = np.zeros((8, 8, 2), np.uint16), np.zeros((8, 8, 2), np.uint16)
    shape[2:5, 2:5, 1] = 65535
    source = write_files(flat_folder(tmp_path / "in", 6), {"dog/a.png": png_16(shape), "dog/b.png": png_16(hidden)})
    told = "images of one colour, or nearly so, which show nothing: 1 (first: dog/b.png)"
    assert [note for note in notes(ingested(source, tmp_path / "out")) if "colour" in note] == [told]


def test_deep_images_that_differ_in_low_bits_only_are_no_duplicates(tmp_path):
    base = deep(0, 12) // 16 * 16
    files = {f"{name}/{n}.tif": tiff(base + deep(n + 10 * (name == "b"), 3)) for name in "ab" for n in range(6)}
    assert ingested(write_files(tmp_path / "in", files), tmp_path / "out").manifest.num_leaks == 0


def test_all_16_bits_need_no_word(tmp_path):
    files = {f"{name}/{n}.tif": tiff(deep(n + 10 * (name == "b"), 16)) for name in "ab" for n in range(6)}
    dataset = ingested(write_files(tmp_path / "in", files), tmp_path / "out")
    assert (dataset.manifest.white, notes(dataset)) == (65535, [])


def plain(value: tuple[int, ...] | int, mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, value).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    "odd",
    [
        plain((7, 7, 7)),
        plain((255, 255, 255, 0), "RGBA"),  # white on nothing lies on white
        encode_png(np.eye(8, dtype=np.uint8)),  # a mask of 0 and 1
        tiff(np.full((8, 8), 900, np.uint16)),
        tiff(np.full((8, 8), -4, np.int32)),
    ],
    ids=["black", "transparent", "mask", "deep", "negative"],
)
def test_images_of_one_colour_are_told(tmp_path, odd):
    source = write_files(flat_folder(tmp_path / "in", 6), {"dog/odd.png": odd})
    found = [note for note in notes(ingested(source, tmp_path / "out")) if "colour" in note]
    assert found == ["images of one colour, or nearly so, which show nothing: 1 (first: dog/odd.png)"]


def test_a_data_set_of_one_colour_is_refused_and_one_of_two_colours_is_told(tmp_path):
    names = [f"{name}/{n}.png" for name in "ab" for n in range(6)]
    black = write_files(
        tmp_path / "black", {name: plain((n % 5,) * 3, size=(8, 8 + n)) for n, name in enumerate(names)}
    )
    with pytest.raises(DataError) as error:
        ingested(black, tmp_path / "a")
    assert str(error.value).startswith(f"{black}: must have images that differ, but got 12 of one colour (first: ")
    assert not (tmp_path / "a" / "manifest.json").exists()
    colours = write_files(
        tmp_path / "colours",
        {name: plain((200 * ("b" in name), 0, 0), size=(8, 8 + n)) for n, name in enumerate(names)},
    )
    told = "images of one colour, or nearly so, which show nothing: 12 (first: "
    assert notes(ingested(colours, tmp_path / "b"))[0].startswith(told)


def test_a_note_on_a_name_that_is_no_utf8_is_kept(tmp_path):
    source = flat_folder(tmp_path / "in", 6)
    Path(os.fsdecode(bytes(source) + b"/cat/caf\xe9.txt")).write_bytes(b"")
    found = notes(ingested(source, tmp_path / "out"))
    assert found == [r"files that are no images by their names (.txt), passed over: 1 (first: cat/caf\xe9.txt)"]


def test_strips_and_several_frames_are_told(tmp_path):
    frames, stream_ = [Image.fromarray(deep(n, 8).astype(np.uint8)) for n in range(3)], io.BytesIO()
    frames[0].save(stream_, format="GIF", save_all=True, append_images=frames[1:])
    strip = encode_png(np.random.default_rng(0).integers(0, 255, (4, 20)).astype(np.uint8))
    source = write_files(flat_folder(tmp_path / "in", 6), {"dog/a.gif": stream_.getvalue(), "dog/s.png": strip})
    assert notes(ingested(source, tmp_path / "out")) == [
        "images more than 3 times as long as wide, of which the central square is used: 1 (first: dog/s.png)",
        "images of several frames or pages, of which the first is used: 1 (first: dog/a.gif)",
    ]


def test_the_limit_of_pixels_is_named_and_can_be_raised(tmp_path):
    source = write_files(
        flat_folder(tmp_path / "in", 6), {"dog/large.png": encode_png(np.eye(20, dtype=np.uint8) * 255)}
    )
    with pytest.raises(DataError) as error:
        ingested(source, tmp_path / "a", max_pixels=200)
    assert "first: dog/large.png has 400 pixels, more than max_pixels, 200)" in str(error.value)
    assert str(error.value).splitlines()[0].endswith("or raise --max-bad-fraction or --max-pixels.")
    dataset = ingested(source, tmp_path / "b", max_pixels=400)
    assert sum(len(decode_split(dataset, split, 16)) for split in ("train", "val", "test")) == 13
