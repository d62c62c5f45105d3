"""Intervals of scores: closed forms, coverage in simulation, and examples that cannot be left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t

from translearn.ranking.scores import hscore, knn, linear_probe, logme
from translearn.ranking.scoring import ACCURACIES
from translearn.ranking.subsamples import NUM_SUBSAMPLES, Spread, spread, subsamples


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=6), seed=st.integers(0, 999))
def test_a_subsample_repeats_nothing_and_keeps_two_thirds_of_each_class(sizes, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    drawn = subsamples(labels, seed)
    assert len(drawn) == NUM_SUBSAMPLES
    for rows in drawn:
        assert (np.diff(rows) > 0).all()
        for count, size in zip(np.bincount(labels[rows], minlength=len(sizes)), sizes, strict=True):
            assert count in {max(1, math.floor(2 * size / 3)), max(1, math.ceil(2 * size / 3))}


def test_a_seed_gives_the_same_subsamples_and_another_one_others():
    labels = np.repeat([0, 1], 20)
    first, again, other = (np.concatenate(subsamples(labels, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or (first != other).any()


def test_the_standard_error_of_a_mean_is_that_of_textbooks():
    # Averaged over data sets; stratified by a label that says nothing.
    rng, found = np.random.default_rng(0), []
    labels = np.repeat([0, 1], 60)
    for seed in range(200):
        x = rng.normal(size=120)
        found.append(spread(lambda rows, x=x: float(x[rows].mean()), 120, subsamples(labels, seed)).standard_error)
    assert np.mean(np.square(found)) == pytest.approx(1 / 120, rel=0.08)


def test_the_interval_is_the_value_with_students_t():
    found = Spread(0.5, 0.1)
    margin = student_t.ppf(0.975, NUM_SUBSAMPLES - 1) * 0.1
    assert (found.low, found.high) == pytest.approx((0.5 - margin, 0.5 + margin))


def test_the_interval_of_a_share_ends_at_0_and_1():
    assert [(Spread(v, 0.1, is_share=True).low, Spread(v, 0.1, is_share=True).high) for v in (0.05, 0.95)] == [
        (0.0, pytest.approx(0.05 + Spread(0.05, 0.1).margin)),
        (pytest.approx(0.95 - Spread(0.95, 0.1).margin), 1.0),
    ]


def test_one_example_of_each_class_leaves_the_interval_open():
    labels = np.arange(7)
    found = spread(lambda rows: float(len(rows)), 7, subsamples(labels, 0))
    assert (found.value, found.low, found.high) == (7.0, -math.inf, math.inf)


@pytest.mark.parametrize("score", [knn, linear_probe, logme, hscore], ids=lambda score: score.__name__)
@pytest.mark.parametrize(("num_classes", "per_class"), [(10, 3), (5, 12)])
def test_intervals_of_scores_cover_what_other_examples_would_score(score, num_classes, per_class):
    rng = np.random.default_rng(1)
    means = rng.normal(size=(num_classes, 24)) * 0.4
    labels = np.repeat(np.arange(num_classes), per_class)
    found = []
    for seed in range(40):
        x = rng.normal(size=(len(labels), 24)) * np.linspace(0.3, 2, 24) + means[labels]
        drawn, accuracy = subsamples(labels, seed), score.__name__ in ACCURACIES
        found.append(spread(lambda r, x=x: score(x[r], labels[r]), len(labels), drawn, is_accuracy=accuracy))
    truth = np.mean([one.value for one in found])
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.85
    # Not by being wide beyond use.
    assert np.median([one.margin for one in found]) < 5 * np.std([one.value for one in found])


def test_an_accuracy_that_every_subsample_agrees_on_is_not_sure() -> None:
    labels = np.repeat([0, 1], 10)
    none, some = (spread(lambda _: 0.0, 20, subsamples(labels, 0), is_accuracy=given) for given in (False, True))
    assert none.standard_error == 0
    assert some.standard_error == pytest.approx(math.sqrt(1 / 22 * 21 / 22 / 20))
