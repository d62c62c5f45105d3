from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import predictions

from translearn.evaluation.classification import averages, classification, confused_pairs, confusion, per_class
from translearn.evaluation.intervals.interval import wilson

NAMES = ["cat", "dog", "owl"]
# Four cats (one taken for a dog), two dogs (both taken for cats); no owl.
CASE = predictions(labels=[0, 0, 0, 0, 1, 1], predicted=[0, 0, 0, 1, 0, 0])


def test_confusion_has_the_class_in_the_row():
    assert confusion(CASE).tolist() == [[3, 1, 0], [2, 0, 0], [0, 0, 0]]


def test_averages_leave_out_classes_without_an_example():
    # Cat: recall 3/4, precision 3/5, F1 2/3. Dog: all 0.
    assert averages(CASE) == pytest.approx({"error": 0.5, "balanced_error": (0.25 + 1) / 2, "macro_f1": 1 / 3})


def test_per_class_rows():
    cat, dog, owl = per_class(CASE, confusion(CASE), NAMES)
    assert (cat["num"], cat["error"], cat["precision"], cat["recall"]) == (4, 0.25, 0.6, 0.75)
    assert (cat["low"], cat["high"]) == (wilson(1, 4).low, wilson(1, 4).high)
    assert (dog["error"], dog["precision"], dog["recall"]) == (1, 0, 0)
    assert owl == dict.fromkeys(owl) | {"class": "owl", "num": 0}


def test_confused_pairs_come_most_frequent_first_and_only_if_they_happened():
    assert confused_pairs(confusion(CASE), NAMES) == [
        {"class": "dog", "predicted": "cat", "num": 2, "fraction": 1.0},
        {"class": "cat", "predicted": "dog", "num": 1, "fraction": 0.25},
    ]


def test_balanced_classes_make_balanced_error_the_error():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 50)
    found = averages(predictions(labels, rng.integers(0, 3, 150)))
    assert found["balanced_error"] == pytest.approx(found["error"])


def test_a_matrix_of_very_many_classes_is_left_out():
    many = predictions([0, 1], [0, 0], num_classes=201)
    content = classification(many, [f"class {c}" for c in range(201)])
    assert content["confusion"] is None
    assert content["confused_pairs"][0]["num"] == 1
