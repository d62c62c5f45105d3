"""Each bad image gets a reason that does not depend on the run; good ones keep their bytes."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from translearn.data.images.pixels import encode_png
from translearn.data.ingest.inspection import inspect_batch, pixel_digest
from translearn.data.ingest.schema import INSPECTED

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)


class _Bytes:
    is_local = False

    def __init__(self, contents):
        self.contents = contents

    def read(self, keys):
        return [self.contents[key] for key in keys]


def _inspect(contents: dict, labels: list | None = None, max_pixels: int = 10_000) -> dict:
    keys = list(contents)
    columns = {"id": keys, "label": pa.array(labels or [0] * len(keys), pa.int32()), "split": ["train"] * len(keys)}
    table = inspect_batch(pa.table({**columns, "key": keys}), _Bytes(contents), max_pixels)
    assert table.schema == INSPECTED
    return {row["id"]: row for row in table.to_pylist()}


def test_reasons_of_bad_images():
    png, jpeg = encode_png(PIXELS), io.BytesIO()
    Image.fromarray(PIXELS).save(jpeg, format="JPEG")
    contents = {
        "cut.png": png[: len(png) // 2],
        "cut.jpg": jpeg.getvalue()[:-300],
        "text.png": b"not an image",
        "empty.png": b"",
        "large.png": encode_png(np.zeros((200, 200), dtype=np.uint8)),
        "gone.png": "does not exist",
    }
    found = {name: row["reason"] for name, row in _inspect(contents).items()}
    assert found.pop("cut.png").startswith("cannot be decoded (")
    assert found.pop("cut.jpg").startswith("cannot be decoded (image file is truncated")
    assert found == {
        "text.png": "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP",
        "empty.png": "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP",
        "large.png": "has 40000 pixels, more than max_pixels, 10000",
        "gone.png": "does not exist",
    }


def test_image_without_label_is_bad_and_good_ones_are_kept_as_found():
    png = encode_png(PIXELS)
    rows = _inspect({"a": png, "b": png}, labels=[None, 3])
    assert rows["a"]["reason"] == "has no label"
    assert rows["a"]["image"] is None
    assert rows["b"]["image"] == png
    assert (rows["b"]["width"], rows["b"]["height"], rows["b"]["label"]) == (30, 40, 3)


def test_digest_depends_on_pixels_and_size_not_on_the_encoding():
    bmp = io.BytesIO()
    Image.fromarray(PIXELS).save(bmp, format="BMP")
    rows = _inspect({"png": encode_png(PIXELS), "bmp": bmp.getvalue()})
    assert rows["png"]["digest"] == rows["bmp"]["digest"]
    turned = Image.fromarray(PIXELS.reshape(30, 40, 3))
    assert pixel_digest(turned) != rows["png"]["digest"]
