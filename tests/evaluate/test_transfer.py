from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import with_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from translearn.errors import InputError
from translearn.evaluate.transfer import transfer_gain

NUM, RATES = 1000, {"helped": (0.1, 0.3), "hurt": (0.3, 0.1), "no difference shown": (0.2, 0.2)}


def models(errors_SN, role):
    return [with_errors(errors, role, seed) for seed, errors in enumerate(errors_SN)]


def study(rng, num_seeds, means, seed_spread):
    """Errors of (transfer, scratch): examples, roles on examples, seeds, and both together vary as normals."""
    difficulty = rng.normal(0, 2, NUM)
    for role, mean in zip(("winner", "scratch"), means, strict=True):
        of_role = difficulty + rng.normal(0, 0.7, NUM)
        logits = mean + of_role + rng.normal(0, seed_spread, (num_seeds, 1)) + rng.normal(0, 1, (num_seeds, NUM))
        yield models(logits > 0, role)


def expected_error(mean, seed_spread):
    return norm.cdf(mean / np.sqrt(2**2 + 0.7**2 + seed_spread**2 + 1**2))


@pytest.mark.parametrize("seed_spread", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_a_null_study_rarely_claims_anything(num_seeds, seed_spread):
    rng, repeats = np.random.default_rng(11), 400
    verdicts = [transfer_gain(*study(rng, num_seeds, (-3, -3), seed_spread)).verdict for _ in range(repeats)]
    claims = repeats - verdicts.count("no difference shown")
    # 5 % and three standard errors of 400 repeats.
    assert claims / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize("seed_spread", [0.1, 0.4])
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_the_interval_covers_the_true_gain(num_seeds, seed_spread):
    rng, repeats, means = np.random.default_rng(12), 400, (-3, -2)
    gain = expected_error(means[1], seed_spread) - expected_error(means[0], seed_spread)
    verdicts = [transfer_gain(*study(rng, num_seeds, means, seed_spread)) for _ in range(repeats)]
    assert sum(v.low <= gain <= v.high for v in verdicts) / repeats >= 0.93


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
    assert verdict.method == "interval over test examples only: one seed does not show how much seeds differ"
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
        "transfer gain: both must be trained with the same seeds, but got [1] for transfer and [2] for scratch. "
        "Refit both alike."
    )


def test_examples_must_be_the_same():
    with pytest.raises(InputError, match=r"transfer gain: all models must predict the same examples in the same order"):
        transfer_gain([with_errors([0])], [with_errors([0, 1], "scratch")])
