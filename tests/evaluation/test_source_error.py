"""The error of a source on its own data, and when it is absurd."""

from __future__ import annotations

import numpy as np
import pytest

from translearn.evaluation.source_error import source_error


def predictions(num_wrong: int, labels: np.ndarray, num_classes: int) -> np.ndarray:
    answers = np.where(np.arange(len(labels)) < num_wrong, (labels + 1) % num_classes, labels)
    return np.eye(num_classes)[answers]


def test_it_is_the_share_of_wrong_answers() -> None:
    labels = np.array([0, 0, 0, 1, 2])
    found = source_error(predictions(2, labels, 3), labels)
    assert (found.value, found.num_examples) == (0.4, 5)
    assert found.guessing == pytest.approx(0.4)
    assert 0 < found.low < 0.4


@pytest.mark.parametrize(
    ("num_wrong", "num", "is_absurd"),
    [(0, 1000, False), (300, 1000, False), (440, 1000, False), (500, 1000, True), (900, 1000, True), (6, 10, False)],
)
def test_it_is_absurd_where_it_is_shown_to_be_over_half_of_guessing(num_wrong: int, num: int, is_absurd: bool) -> None:
    labels = np.arange(num) % 10
    assert source_error(predictions(num_wrong, labels, 10), labels).is_absurd == is_absurd
