"""Copies of a picture count once in every interval over examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation_cases import predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.evaluation.calibration import calibration
from translearn.evaluation.intervals.interval import by_picture, crossed_wilson, one_model, wilson
from translearn.evaluation.intervals.optimism import optimism
from translearn.evaluation.intervals.paired import over_examples
from translearn.evaluation.verdict.transfer import gain_ends, transfer_gain

RNG = np.random.default_rng(3)
GAINS = RNG.integers(-1, 2, (3, 40)).astype(np.float64)
ERRORS = RNG.random((3, 40)) < 0.3
#: Each picture twice, the copies apart.
TWICE = np.tile(np.arange(40), 2)


def ends(interval):
    """As wide, but for the one pseudo-picture of an error's interval where there are copies."""
    return pytest.approx((interval.low, interval.high), abs=0.02)


def test_a_test_set_in_which_each_picture_stands_twice_tells_no_more_than_the_pictures():
    twice = {name: np.tile(values, 2) for name, values in (("gains", GAINS), ("errors", ERRORS))}
    assert gain_ends(twice["gains"], pictures_N=TWICE) == pytest.approx(gain_ends(GAINS))
    found = crossed_wilson(twice["errors"], pictures_N=TWICE)
    assert (found.low, found.high) == ends(crossed_wilson(ERRORS))
    assert over_examples(twice["gains"], TWICE).p == pytest.approx(over_examples(GAINS).p)
    assert over_examples(twice["gains"]).p < over_examples(twice["gains"], TWICE).p
    low, high = gain_ends(twice["gains"][:1])  # of one seed, as copies of it would pass for more examples
    assert high - low < 0.8 * np.diff(gain_ends(GAINS[:1]))[0]


def test_all_figures_of_predictions_know_the_copies():
    labels, answers = np.zeros(40), np.where(ERRORS, 1, 0)
    plain = [predictions(labels, found, seed=seed) for seed, found in enumerate(answers)]
    copied = [
        replace(predictions(np.tile(labels, 2), np.tile(found, 2), seed=seed), pictures=TWICE)
        for seed, found in enumerate(answers)
    ]
    gains = [transfer_gain([of[0]], [replace(of[1], role="scratch", seed=0)]) for of in (copied, plain)]
    assert (gains[0].low, gains[0].high) == pytest.approx((gains[1].low, gains[1].high))
    same = [optimism(0.3, of, of)["refits"] for of in (copied, plain)]
    assert same[0] == pytest.approx(same[1])
    briers = [calibration(of[0], plain[1])["before"]["brier"] for of in (copied, plain)]
    assert briers[0] == pytest.approx(briers[1])


def test_one_model_without_copies_is_wilson_and_with_them_wider():
    errors = ERRORS[0]
    assert one_model(errors) == one_model(errors, np.arange(40) * 7) == wilson(int(errors.sum()), 40)
    found = one_model(np.tile(errors, 2), TWICE)
    assert (found.low, found.high) == ends(crossed_wilson(errors[None]))
    assert one_model(np.zeros(10, bool), np.zeros(10)).high == pytest.approx(wilson(0, 1).high)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=20), st.integers(0, 1000))
def test_values_by_picture_keep_the_mean_of_each_seed(pictures, seed):
    values = np.random.default_rng(seed).normal(size=(3, len(pictures)))
    found = by_picture(values, np.array(pictures))
    assert found.shape == (3, len(set(pictures)))
    assert found.mean(axis=1) == pytest.approx(values.mean(axis=1))
    assert by_picture(values, np.arange(len(pictures))) == pytest.approx(values)
