"""Source strings: what is known, and what is said of the rest."""

from __future__ import annotations

import pytest

from translearn.data.formats.builtin import Procedural
from translearn.data.formats.source import ACCEPTED, open_source
from translearn.errors import DataError


def test_options_of_a_procedure():
    assert open_source("procedural:glyphs?num=40&size=16&seed=3") == Procedural("glyphs", 40, 16, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("torchvison:CIFAR10", "must be a known kind of source, but got 'torchvison'. Did you mean 'torchvision'?"),
        ("torchvision:cifar10", "must name a torchvision data set, but got 'cifar10'. Did you mean 'CIFAR10'?"),
        ("sklearn:digit", "must name a sklearn data set, but got 'digit'. Did you mean 'digits'?"),
        ("procedural:glyphs?nun=4", "must have known options, but got 'nun'. Did you mean 'num'?"),
        ("sklearn:digits?num=4", "must have known options, but got 'num'. Known: none."),
    ],
)
def test_nearest_names(source, message):
    with pytest.raises(DataError) as error:
        open_source(source)
    assert str(error.value).startswith(f"{source}: {message}")


def test_every_bad_option_is_named():
    with pytest.raises(DataError) as error:
        open_source("procedural:glyphs?num=0&size=x")
    assert str(error.value).splitlines() == [
        "procedural:glyphs?num=0&size=x: num: must be a whole number of at least 1, but got '0'.",
        "procedural:glyphs?num=0&size=x: size: must be a whole number of at least 8, but got 'x'.",
    ]


def test_missing_place_says_what_is_accepted_and_what_is_near(tmp_path):
    (tmp_path / "pets").mkdir()
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "pet"))
    rule = f"must be {ACCEPTED}, but got nothing there"
    assert str(error.value) == f"{tmp_path}/pet: {rule}. Did you mean 'pets'? Known: pets."
