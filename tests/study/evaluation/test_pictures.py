"""Different pictures of a split: copies are found, and counted by class."""

from __future__ import annotations

import numpy as np

from translearn.data.ingest.checks.near_duplicates import prints
from translearn.study.evaluation.pictures import first_copies, picture_counts

RNG = np.random.default_rng(0)
WAVES = RNG.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def test_equal_and_nearly_equal_images_are_copies_of_the_first() -> None:
    brighter = np.clip(WAVES[1].astype(np.int64) + 2, 0, 255).astype(np.uint8)
    images = np.stack([WAVES[0], WAVES[1], WAVES[0], brighter, WAVES[2]])
    digests = np.array(["p", "q", "p", "r", "s"])
    assert first_copies(digests, prints([images])).tolist() == [0, 1, 0, 1, 4]
    assert first_copies(digests, None).tolist() == [0, 1, 0, 3, 4]


def test_images_of_one_colour_are_copies_only_where_they_are_equal() -> None:
    images = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    images[2] += 9
    assert first_copies(np.array(["a", "a", "b"]), prints([images])).tolist() == [0, 0, 2]


def test_pictures_are_counted_by_split_and_class() -> None:
    labels = {"train": np.array([0, 0, 1, 1]), "test": np.array([1])}
    found = picture_counts(["a", "b"], labels, {"train": np.array([0, 0, 0, 3]), "test": np.array([0])})
    assert found["splits"] == {"train": {"num": 4, "num_different": 3}, "test": {"num": 1, "num_different": 1}}
    assert [row["class"] for row in found["classes"]] == ["a", "b"]
    assert [row["train"] for row in found["classes"]] == [
        {"num": 2, "num_different": 1},
        {"num": 2, "num_different": 2},
    ]
    assert found["classes"][0]["test"] == {"num": 0, "num_different": 0}
