from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, ttest_rel

from translearn.evaluation.intervals.paired import holm, over_examples, over_seeds


def by_hand(gains_SN):
    """Every choice of signs, one after the other."""
    sums = gains_SN.sum(axis=0)
    totals = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=len(sums))]
    return np.mean([total >= abs(sums.sum()) for total in totals])


@pytest.mark.parametrize(("better", "worse"), [(10, 2), (3, 3), (0, 7), (400, 350), (1, 0)])
def test_of_one_seed_it_is_mcnemars_exact_test(better, worse):
    gains = np.array([[1.0] * better + [-1.0] * worse + [0.0] * 30])
    found = over_examples(gains)
    assert found.p == pytest.approx(binomtest(better, better + worse).pvalue)
    assert (found.num_better, found.num_worse, found.p_holm) == (better, worse, None)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_of_several_seeds_it_is_every_choice_of_signs(num_seeds, num, seed):
    gains = np.random.default_rng(seed).integers(-1, 2, (num_seeds, num)).astype(float)
    assert over_examples(gains).p == pytest.approx(by_hand(gains))
    assert over_examples(-gains).p == pytest.approx(over_examples(gains).p)


def test_models_that_never_differ_give_no_evidence():
    assert over_examples(np.zeros((3, 50))).p == 1


def test_many_examples_do_not_lose_the_small_p_to_rounding():
    rng = np.random.default_rng(0)
    gains = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.6, 0.3], size=(5, 50_000))
    assert 0 <= over_examples(gains).p < 1e-9
    null = over_examples(rng.choice([-1.0, 0.0, 1.0], size=(5, 50_000))).p
    assert 0 < null <= 1


def test_copies_of_one_seed_are_no_more_evidence_than_one():
    gains = np.array([[1.0] * 8 + [-1.0] * 2 + [0.0] * 5])
    assert over_examples(np.repeat(gains, 4, axis=0)).p == pytest.approx(over_examples(gains).p)


def test_a_null_pair_is_called_different_in_at_most_5_percent():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(0, 2, (400, 1, 150))
    a, b = (difficulty + rng.normal(0, 1, (400, 3, 150)) > 1 for _ in range(2))
    p_values = [over_examples(x.astype(float) - y).p for x, y in zip(a, b, strict=True)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_over_seeds_is_students_test_and_the_flips_of_signs():
    gains = np.array([0.02, 0.05, 0.03, -0.01])
    found = over_seeds(gains)
    assert found.p == pytest.approx(ttest_rel(gains, np.zeros(4)).pvalue)
    assert found.exact_p == pytest.approx(by_hand(gains[None]))
    assert found.least_exact_p == 2 / 2**4


def test_the_least_p_is_what_seeds_that_agree_give():
    assert over_seeds(np.array([0.1, 0.2, 0.3])).exact_p == over_seeds(np.array([0.1, 0.2, 0.3])).least_exact_p == 0.25


def test_one_seed_tests_nothing_over_seeds():
    found = over_seeds(np.array([0.1]))
    assert (found.p, found.exact_p, found.least_exact_p) == (None, None, None)


def test_seeds_that_all_gain_the_same_have_no_t_test():
    assert over_seeds(np.array([0.1, 0.1, 0.1])).p is None


def test_holm_is_the_published_example():
    # Holm 1979, section 3: 0.01, 0.04, 0.03 and 0.005 become 0.03, 0.06, 0.06 and 0.02.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_between_none_and_bonferroni_and_above_a_weaker_correction(p_values):
    found = np.array(holm(p_values))
    assert (found >= np.array(p_values) - 1e-12).all()
    assert (found <= np.minimum(1, len(p_values) * np.array(p_values)) + 1e-12).all()
    assert (found >= false_discovery_control(p_values) - 1e-12).all()


def test_a_missing_p_stays_missing_and_does_not_count():
    assert holm([0.02, None, 0.04]) == pytest.approx([0.04, None, 0.04])
