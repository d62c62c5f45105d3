"""What must not change a score: rotation and scale of features, order of examples, names of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inputs import make_features, make_probabilities

from translearn.ranking.scores import FEATURE_SCORES, PROBABILITY_SCORES

few = settings(max_examples=12, deadline=None)
seeds = st.integers(0, 2**20)
shapes = st.sampled_from([(40, 6, 3), (24, 50, 4), (30, 30, 2)])
# A mixture is fitted from random rows, so the order of examples has a small say in NLEEP.
EXACT = sorted(set(FEATURE_SCORES) - {"nleep"})


def assert_equal(name: str, left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> None:
    score = {**FEATURE_SCORES, **PROBABILITY_SCORES}[name]
    assert score(*left) == pytest.approx(score(*right), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", EXACT)
@few
@given(seed=seeds, shape=shapes)
def test_rotated_features_score_the_same(name, seed, shape):
    x, y = make_features(*shape, seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(shape[1], shape[1])))[0]
    assert_equal(name, (x, y), (x @ rotation, y))


@pytest.mark.parametrize("name", EXACT)
@few
@given(seed=seeds, shape=shapes)
def test_order_of_examples_does_not_matter(name, seed, shape):
    x, y = make_features(*shape, seed=seed)
    order = np.random.default_rng(seed).permutation(len(y))
    assert_equal(name, (x, y), (x[order], y[order]))


@pytest.mark.parametrize("name", sorted(FEATURE_SCORES))
@few
@given(seed=seeds, shape=shapes)
def test_names_of_classes_do_not_matter(name, seed, shape):
    x, y = make_features(*shape, seed=seed)
    names = np.random.default_rng(seed).choice(1000, shape[2], replace=False)
    assert_equal(name, (x, y), (x, names[y]))


@pytest.mark.parametrize("name", sorted(set(EXACT) - {"transrate"}))
@few
@given(seed=seeds, shape=shapes, scale=st.sampled_from([1e-150, 1e-6, 1e5, 1e90]))
def test_scale_of_features_does_not_matter(name, seed, shape, scale):
    x, y = make_features(*shape, seed=seed)
    assert_equal(name, (x, y), (x * scale, y))


@pytest.mark.parametrize("name", sorted(PROBABILITY_SCORES))
@few
@given(seed=seeds)
def test_order_of_examples_and_source_classes_does_not_matter(name, seed):
    theta, y = make_probabilities(40, 7, 3, seed)
    rng = np.random.default_rng(seed)
    order, source_order, names = rng.permutation(40), rng.permutation(7), rng.choice(1000, 3, replace=False)
    assert_equal(name, (theta, y), (theta[order][:, source_order], names[y[order]]))


@pytest.mark.parametrize("name", sorted(FEATURE_SCORES))
def test_features_that_tell_the_classes_apart_score_higher(name):
    noise, signal = (make_features(120, 10, 3, shift=shift) for shift in (0.0, 3.0))
    assert FEATURE_SCORES[name](*signal) > FEATURE_SCORES[name](*noise)
