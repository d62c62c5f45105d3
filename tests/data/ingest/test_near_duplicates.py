"""Near duplicates: copies are found whatever their size, encoding or brightness, other images are not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from translearn.data.ingest.checks import near_duplicates as near
from translearn.data.ingest.checks.near_duplicates import Prints, near_duplicates, prints


def pictures(num: int, seed: int = 0, side: int = 96) -> list[Image.Image]:
    """Smooth random pictures: a few waves of low frequency in each colour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    found = []
    for _ in range(num):
        waves = rng.normal(size=(3, 6)), rng.uniform(-3, 3, size=(3, 6, 2)), rng.uniform(0, 6, size=(3, 6))
        planes = [
            sum(a * np.cos(2 * np.pi * (f[0] * x + f[1] * y) + p) for a, f, p in zip(*parts, strict=True))
            for parts in zip(*waves, strict=True)
        ]
        image = np.stack(planes, axis=-1)
        span = np.ptp(image)
        found.append(Image.fromarray(((image - image.min()) / span * 255).astype(np.uint8)))
    return found


def of(images: list[Image.Image]) -> Prints:
    return prints(
        [np.stack([np.asarray(i.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)) for i in images])]
    )


def jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=50)
    return Image.open(stream)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "jpeg": jpeg,
    "half size": lambda image: image.resize((48, 48)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": lambda image: image.convert("L"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_nothing_else(change: str) -> None:
    originals = pictures(60)
    pairs = near_duplicates(of([CHANGES[change](image) for image in originals]), of(originals))
    found = {tuple(pair) for pair in pairs.tolist()}
    assert len({(i, i) for i in range(60)} & found) >= 57
    assert {(i, j) for i, j in found if i != j} == set()


def test_different_pictures_are_not_near() -> None:
    assert near_duplicates(of(pictures(300, 1)), of(pictures(300, 2))).shape == (0, 2)


def test_an_image_of_one_colour_is_near_to_none() -> None:
    plain = of([Image.new("RGB", (32, 32), colour) for colour in ("black", "white", "red")])
    assert len(near_duplicates(plain, plain)) == 0
    assert len(near_duplicates(plain, of(pictures(20)))) == 0


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = of(pictures(40)), of(pictures(25))
    whole = near_duplicates(ours, theirs)
    monkeypatch.setattr(near, "_BLOCK_PAIRS", 3 * 25)
    monkeypatch.setattr(near, "_BLOCK_CANDIDATES", 1)
    np.testing.assert_array_equal(near_duplicates(ours, theirs), whole)
    assert whole.tolist() == [[i, i] for i in range(25)]


def test_prints_come_a_block_at_a_time() -> None:
    images = np.stack([np.asarray(image.resize((32, 32))) for image in pictures(7)])
    whole, parts = prints([images]), prints([images[:3], images[3:]])
    np.testing.assert_array_equal(whole.hashes, parts.hashes)
    np.testing.assert_array_equal(whole.copies, parts.copies)
    assert (whole.hashes.dtype, whole.copies.dtype, whole.copies.shape) == (np.uint64, np.uint8, (7, 256))


def test_both_the_hash_and_the_small_copy_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = of(pictures(30, 1)), of(pictures(30, 2))
    monkeypatch.setattr(near, "MAX_BITS", 63)
    assert len(near_duplicates(ours, theirs)) == 0
    monkeypatch.setattr(near, "MIN_CORRELATION", -1.0)
    assert len(near_duplicates(ours, theirs)) == 900


def test_the_hash_is_the_signs_around_the_median_of_the_lowest_waves() -> None:
    """By the definition, one image at a time."""
    image = np.asarray(pictures(1)[0].resize((32, 32)))
    grey = image @ np.array([0.299, 0.587, 0.114])
    k = np.arange(32)
    basis = np.cos(np.pi * (k[None, :] + 0.5) * k[:, None] / 32)
    waves = (basis @ grey @ basis.T)[:8, :8].reshape(-1)[1:]
    bits = waves > np.median(waves)
    [found] = prints([image[None]]).hashes
    unpacked = np.unpackbits(np.array([found]).view(np.uint8))[1:].astype(bool)
    np.testing.assert_array_equal(unpacked, bits)
