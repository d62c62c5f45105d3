from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.evaluation.intervals.interval import (
    Interval,
    crossed_wilson,
    half_width,
    over_seeds,
    wilson,
)


def test_wilson_is_the_published_example():
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263).low == pytest.approx(0.2553, abs=5e-5)
    assert wilson(81, 263).high == pytest.approx(0.3662, abs=5e-5)
    assert wilson(0, 20).low == 0
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)


def test_over_seeds_is_students_interval_of_the_mean():
    # Three values 1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.30265.
    interval = over_seeds([1.0, 2.0, 3.0])
    assert interval is not None
    assert interval.high - 2 == pytest.approx(4.30265 / sqrt(3), rel=1e-5)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_fewer_than_three_seeds_have_no_interval_over_seeds():
    assert over_seeds([0.2]) is over_seeds([0.2, 0.3]) is None
    assert over_seeds([0.1, 0.9, 0.5], 0, 1) == Interval(0, 1)


def test_half_width_of_one_seed_is_the_t_interval_over_examples():
    # Values 0 and 1, two of each: variance 1/3, standard error sqrt(1/12), t(0.975, 3) = 3.18245.
    assert half_width(np.array([[0.0, 0, 1, 1]])) == pytest.approx(3.18245 * sqrt(1 / 12), rel=1e-5)


def test_half_width_adds_the_seeds_in_quadrature():
    # Examples do not differ, so that only the seeds are left: as over_seeds of 0 and 1.
    values = np.array([[0.0] * 5, [1.0] * 5])
    assert half_width(values) == pytest.approx(12.7062 * 0.5, rel=1e-5)


def test_crossed_wilson_of_one_seed_is_nearly_wilson():
    errors = np.arange(1000) < 123
    crossed, plain = crossed_wilson(errors[None]), wilson(123, 1000)
    assert crossed.low == pytest.approx(plain.low, abs=2e-4)
    assert crossed.high == pytest.approx(plain.high, abs=2e-4)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_no_error_at_all_does_not_mean_zero(num_seeds):
    interval, plain = crossed_wilson(np.zeros((num_seeds, 200), bool)), wilson(0, 200)
    assert interval.low == pytest.approx(0, abs=1e-12)
    assert interval.high == pytest.approx(plain.high)


def test_one_example_gives_an_interval_and_no_nan():
    interval = crossed_wilson(np.array([[True], [False]]))
    assert interval.low < 0.5 < interval.high


def test_seeds_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    alike = rng.random((3, 500)) < 0.2
    unlike = rng.random((3, 500)) < np.array([[0.05], [0.2], [0.35]])
    assert width(crossed_wilson(unlike)) > 2 * width(crossed_wilson(alike))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_crossed_wilson_holds_the_mean_and_stays_in_range(num_seeds, num, seed, rate):
    errors = np.random.default_rng(seed).random((num_seeds, num)) < rate
    interval = crossed_wilson(errors)
    assert 0 <= interval.low <= errors.mean() + 1e-12
    assert errors.mean() - 1e-12 <= interval.high <= 1


def test_crossed_wilson_covers_the_error_of_the_configuration():
    rng, covered, repeats = np.random.default_rng(7), 0, 400
    for _ in range(repeats):
        logits = rng.normal(-3, 2, 500) + rng.normal(0, 0.3, (3, 1)) + rng.normal(0, 1, (3, 500))
        interval = crossed_wilson(logits > 0)
        # The expected error: a normal's tail, with the summed variance 4 + 0.09 + 1.
        covered += interval.low <= 0.09180 <= interval.high
    assert covered / repeats >= 0.93


def width(interval: Interval) -> float:
    return interval.high - interval.low
