"""Inputs at the edge give the documented number, never NaN; bad ones give a message."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from translearn.errors import InputError
from translearn.ranking.scores import (
    gbc,
    hscore,
    knn,
    leep,
    linear_probe,
    logme,
    nce,
    nleep,
    parc,
    stratified_rows,
    transrate,
)

BALANCED = np.repeat([0, 1, 2], 10)
CONSTANT = {knn: 0.0, linear_probe: 0.0, hscore: 0.0, nleep: -np.log(3), transrate: 0.0, parc: 0.0, gbc: -6.0}


@pytest.mark.parametrize("score", CONSTANT, ids=lambda score: score.__name__)
@pytest.mark.parametrize("value", [0.0, 0.1, -7e8])
def test_constant_features_give_the_documented_score(score, value):
    # Means of 0.1 and 0.7 are inexact: what remains after centring is rounding, not a feature.
    x = np.tile([value, 0.1, 0.7, -0.3, 1 / 3], (30, 1))
    assert score(x, BALANCED) == pytest.approx(CONSTANT[score], abs=1e-9)


def test_logme_of_zero_features_is_the_evidence_of_noise():
    # Each class: N ln(N / |y|^2) - N - N ln 2 pi, with |y|^2 = N / 3.
    assert logme(np.zeros((30, 5)), BALANCED) == pytest.approx((np.log(3) - 1 - np.log(2 * np.pi)) / 2)


@pytest.mark.parametrize("score", [knn, linear_probe])
def test_constant_features_give_the_majority_where_there_is_one(score):
    assert score(np.ones((10, 2)), np.array([0] * 7 + [1] * 3)) == pytest.approx(0.7)


@pytest.mark.parametrize("shape", [(40, 6), (40, 100)])
@pytest.mark.parametrize("sizes", [(38, 1, 1), (37, 2, 1), (1,) * 40, (39, 1)])
def test_lonely_examples_and_imbalance_stay_finite(feature_score, shape, sizes):
    x = np.random.default_rng(0).normal(size=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert np.isfinite(feature_score(x, np.repeat(np.arange(len(sizes)), sizes)))


@pytest.mark.parametrize("rows", [(0, 0, 1, 1), (0, 1, 0, 1)])
def test_perfect_and_hopeless_fits_stay_finite(feature_score, rows):
    assert np.isfinite(feature_score(np.eye(2)[list(rows)], np.array([0, 0, 1, 1])))


def test_two_examples_are_enough(feature_score):
    assert np.isfinite(feature_score(np.array([[1.0], [2.0]]), np.array([0, 1])))


def test_half_precision_and_integers_are_accepted(feature_score, features):
    x, y = features(40, 6, 3)
    half = x.astype(np.float16)
    assert feature_score(half, y.astype(np.uint8)) == feature_score(half.astype(np.float64), y)


def test_inputs_are_left_as_they_were(feature_score, features):
    x, y = features(40, 6, 3)
    before = x.copy(), y.copy()
    feature_score(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("score", [leep, nce])
def test_source_classes_without_mass_change_nothing(score, probabilities):
    theta, y = probabilities(40, 7, 3)
    assert score(np.insert(theta, [2, 7], 0.0, axis=1), y) == pytest.approx(score(theta, y), rel=1e-12)


@pytest.mark.parametrize("score", [leep, nce])
def test_constant_probabilities_give_minus_the_labels_entropy(score):
    assert score(np.full((30, 4), 0.25), BALANCED) == pytest.approx(-np.log(3))


@pytest.mark.parametrize("score", [leep, nce])
def test_a_head_that_knows_the_labels_scores_zero(score):
    assert score(np.eye(3)[BALANCED], BALANCED) == pytest.approx(0, abs=1e-12)


def test_linear_probe_reaches_one_where_classes_are_apart_and_n_below_d():
    x = np.random.default_rng(0).normal(size=(30, 200)) + 20 * np.eye(200)[BALANCED]
    assert linear_probe(x, BALANCED) == 1.0


def test_every_fault_is_named_at_once():
    with pytest.raises(InputError) as caught:
        knn(np.array([[1.0, np.nan], [np.inf, 0.0]]), np.array([0, -1]))
    assert str(caught.value).splitlines() == [
        "features: must be finite, but got 2 values that are infinite, NaN or beyond 1e100. "
        "Check the source's weights and the preprocessing.",
        "labels: must be at least 0, but got -1. Leave unlabelled examples out.",
    ]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(3), np.array([0, 1, 1]), "must have a row an example, at least 2 rows and 1 column, but got shape"),
        (np.array([["a"], ["b"]]), np.array([0, 1]), "features: must be real numbers, but got <U1."),
        (np.ones((2, 2)), np.array([0.0, 1.0]), "must be integers, one a row of features (2), but got float64"),
        (np.ones((2, 2)), np.array([0, 1, 1]), "one a row of features (2), but got int64 of shape (3,)."),
        (np.ones((2, 2)), np.array([4, 4]), "labels: must name at least 2 classes, but got 1. A score compares"),
    ],
)
def test_bad_features_and_labels_say_what_is_wrong(feature_score, x, y, message):
    with pytest.raises(InputError) as caught:
        feature_score(x, y)
    assert message in str(caught.value)


@pytest.mark.parametrize("score", [leep, nce])
@pytest.mark.parametrize("theta", [np.array([[2.0, -1.0], [0.5, 0.5]]), np.array([[3.0, 1.0], [0.5, 0.5]])])
def test_logits_are_not_taken_for_probabilities(score, theta):
    with pytest.raises(InputError) as caught:
        score(theta, np.array([0, 1]))
    assert str(caught.value) == (
        "probabilities: must be at least 0 and sum to 1 in each row, but got 1 rows that do not. "
        "Apply softmax to the logits."
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: knn(x, y, k=0), "k: must be at least 1, but got 0."),
        (lambda x, y: transrate(x, y, eps=0.0), "eps: must be above 0, but got 0.0."),
        (lambda x, y: parc(x, y, max_examples=1), "limit: must be at least 2, but got 1."),
    ],
)
def test_bad_options_say_what_is_wrong(call, message):
    with pytest.raises(InputError) as caught:
        call(np.eye(4), np.array([0, 0, 1, 1]))
    assert str(caught.value) == message


def test_stratified_rows_keep_the_classes_shares():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    rows = stratified_rows(y, 100, seed=1)
    assert len(set(rows.tolist())) == 100
    np.testing.assert_allclose(np.bincount(y[rows]), [60, 30, 10], atol=1)
    assert not np.array_equal(rows, stratified_rows(y, 100, seed=2))
    np.testing.assert_array_equal(stratified_rows(y, 1000), np.arange(1000))


def test_parc_of_a_subsample_is_near_that_of_all(features):
    x, y = features(600, 6, 3)
    subsampled = [parc(x, y, max_examples=300, seed=seed) for seed in range(8)]
    assert len(set(subsampled)) == 8
    assert np.mean(subsampled) == pytest.approx(parc(x, y), abs=5)
