"""Built-in sources: pure functions of (seed, index), with fonts held out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from translearn.data.formats.builtin import PROCEDURES, Procedural, SklearnDigits
from translearn.data.procedural.glyphs import fonts


@pytest.mark.parametrize("name", PROCEDURES)
def test_images_depend_on_seed_and_index_alone(name):
    reader = Procedural(name, num=40, size=20)
    keys = reader.listing()["key"].to_pylist()
    images = list(reader.read(keys))
    assert list(reader.read(keys[::-1])) == images[::-1]
    assert len(set(images)) == 40
    assert not set(images) & set(Procedural(name, num=40, size=20, seed=1).read(keys))
    assert Image.open(io.BytesIO(images[0])).size == (20, 20)


@pytest.mark.parametrize("name", PROCEDURES)
def test_splits_are_exact_and_balanced(name):
    table = Procedural(name, num=400).listing().group_by(["split", "label"]).aggregate([("id", "count")])
    sizes = {"train": 28, "val": 6, "test": 6}
    assert len(table) == 30
    assert all(row["id_count"] == sizes[row["split"]] for row in table.to_pylist())


def test_fonts_of_the_splits_share_no_family_and_symbols_are_left_out():
    names = fonts()
    families = {split: {name.split("-")[0][:10] for name in found} for split, found in names.items()}
    assert all(names.values())
    assert not families["val"] & families["test"]
    assert not set(names["train"]) & set(names["val"] + names["test"])
    assert not {"cmsy10", "cmex10", "LastResortHE-Regular", "STIXSizOneSymReg"} & set(sum(names.values(), ()))


def test_digits_are_those_of_scikit_learn():
    reader = SklearnDigits()
    table, digits = reader.listing(), load_digits()
    assert table["label"].to_pylist() == [str(label) for label in digits.target]
    [content] = reader.read(["all/1234"])
    pixels = np.asarray(Image.open(io.BytesIO(content))).astype(float)
    assert np.abs(pixels / 255 * 16 - digits.images[1234]).max() < 1 / 16
