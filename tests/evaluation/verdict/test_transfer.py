from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import with_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.errors import InputError
from translearn.evaluation.verdict.transfer import transfer_gain

NUM, RATES = 1000, {"helped": (0.1, 0.3), "hurt": (0.3, 0.1), "no difference shown": (0.2, 0.2)}


def models(errors_SN, role):
    return [with_errors(errors, role, seed) for seed, errors in enumerate(errors_SN)]


@pytest.mark.parametrize("expected", RATES)
def test_verdicts(expected):
    rng = np.random.default_rng(0)
    transfer, scratch = (rng.random((3, NUM)) < rate for rate in RATES[expected])
    verdict = transfer_gain(models(transfer, "winner"), models(scratch, "scratch"))
    assert verdict.verdict == expected
    assert verdict.gain == pytest.approx(scratch.mean() - transfer.mean())
    assert verdict.seed_gains == pytest.approx(scratch.mean(axis=1) - transfer.mean(axis=1))
    assert (verdict.num_seeds, verdict.num_examples, verdict.seeds) == (3, NUM, (0, 1, 2))


def test_one_seed_says_that_it_covers_examples_only():
    transfer, scratch = np.arange(100) < 10, np.arange(100) < 30
    verdict = transfer_gain(models([transfer], "winner"), models([scratch], "scratch"))
    assert verdict.method == "interval over test pictures only: one seed does not show how much seeds differ"
    # 20 of 100 differ: variance 0.16 * 100/99, one pseudo-disagreement, t(0.975, 99) = 1.98422.
    half = 1.98422 * np.sqrt(0.16 / 99 + 1 / 100**2)
    assert (verdict.low, verdict.high) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-5)


def test_a_few_equal_examples_are_no_certainty():
    verdict = transfer_gain(models([[0] * 4] * 3, "winner"), models([[0] * 4] * 3, "scratch"))
    assert verdict.low < 0 < verdict.high
    assert verdict.verdict == "no difference shown"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_swapping_the_two_mirrors_the_interval(num_seeds, num, seed):
    errors = np.random.default_rng(seed).random((2, num_seeds, num)) < 0.4
    forth, back = (transfer_gain(models(a, "winner"), models(b, "scratch")) for a, b in (errors, errors[::-1]))
    assert (forth.gain, forth.low, forth.high) == pytest.approx((-back.gain, -back.high, -back.low))
    assert -1 <= forth.low <= forth.gain <= forth.high <= 1


def test_seeds_must_be_paired():
    with pytest.raises(InputError) as error:
        transfer_gain([with_errors([0], seed=1)], [with_errors([0], "scratch", 2)])
    assert str(error.value) == (
        "transfer gain: both must be trained with the same seeds, but got [1] for transfer and [2] for the baseline. "
        "Refit both alike."
    )


def test_examples_must_be_the_same():
    with pytest.raises(InputError, match=r"transfer gain: all models must predict the same examples in the same order"):
        transfer_gain([with_errors([0])], [with_errors([0, 1], "scratch")])
