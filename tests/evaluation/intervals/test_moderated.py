"""Moderated variances: limma's figures, limits, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import polygamma

from translearn.evaluation.intervals.moderated import _prior_degrees, moderated


@pytest.mark.parametrize("half", [0.01, 0.5, 3.0, 40.0])
def test_the_priors_degrees_turn_the_trigamma_function_round(half: float) -> None:
    assert _prior_degrees(float(polygamma(1, half))) == pytest.approx(2 * half, rel=1e-6)


@pytest.mark.parametrize("excess", [0.0, -1.0])
def test_variances_more_alike_than_chance_makes_them_have_one_in_common(excess: float) -> None:
    assert _prior_degrees(excess) == 1e6


def test_the_prior_is_found_again() -> None:
    """Variances drawn as Smyth's model says: scaled inverse chi-square with 6 degrees around 4, estimated with 3."""
    rng = np.random.default_rng(0)
    truth = 4.0 * 6 / rng.chisquare(6, 20_000)
    found, degrees = moderated(truth * rng.chisquare(3, 20_000) / 3, 3)
    assert degrees == pytest.approx(9, rel=0.05)
    # Those drawn up, as the formula makes them: (6 * 4 + 3 * s) / 9, where that is above s.
    assert found.min() == pytest.approx(6 * 4 / 9, rel=0.05)


def test_equal_variances_stay_and_are_known_better() -> None:
    found, degrees = moderated(np.full(6, 2.0), 2)
    # The mean logarithm of estimates lies below that of the truth: at 2 degrees of freedom by Euler's constant.
    assert found == pytest.approx(np.full(6, 2.0 * np.exp(np.euler_gamma)), rel=1e-5)
    assert degrees == 8


def test_two_comparisons_know_no_more_than_both_together() -> None:
    assert moderated(np.array([1.0, 1.1]), 2)[1] == 4


@pytest.mark.parametrize("variances", [[3.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
def test_what_tells_nothing_of_the_others_leaves_them(variances: list[float]) -> None:
    found, degrees = moderated(np.array(variances), 2)
    assert found.tolist() == variances
    assert degrees == 2


@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1e3)), st.integers(1, 9))
def test_no_variance_is_drawn_down_and_degrees_stay_within_bounds(variances: np.ndarray, degrees: int) -> None:
    found, known = moderated(variances, degrees)
    assert (found >= variances).all()
    assert np.isfinite(found).all()
    assert degrees <= known <= 4 * degrees


@given(arrays(np.float64, 8, elements=st.floats(0.01, 100)), st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter(variances: np.ndarray, factor: float) -> None:
    (one, degrees), (other, others) = moderated(variances, 2), moderated(factor * variances, 2)
    assert other == pytest.approx(factor * one, rel=1e-4)
    assert others == pytest.approx(degrees, rel=1e-4)
