"""Simulated studies: intervals cover what they should, and null studies rarely claim anything.

A test example has a difficulty; a role has its own view of it; a seed is better or worse as a whole, and on single
examples. All are normal on the logit scale, so that the true error has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from evaluation_cases import with_errors
from scipy.stats import norm

from translearn.evaluation.intervals.comparisons import compare
from translearn.evaluation.intervals.interval import crossed_wilson
from translearn.evaluation.verdict.transfer import NO_DIFFERENCE, gain_ends, transfer_gain

DIFFICULTY, ROLE = 2.0, 0.7
#: Errors of a model on test from which on no world is covered too well: fewer come in too coarse steps.
MANY = 20


@dataclass(frozen=True)
class World:
    """``error`` of the baseline; test examples; seeds; how much seeds differ as a whole, and on single examples."""

    error: float
    num: int
    num_seeds: int
    of_seeds: float
    of_both: float = 1.0

    @property
    def spread(self):
        return np.sqrt(DIFFICULTY**2 + ROLE**2 + self.of_seeds**2 + self.of_both**2)

    def errors(self, rng, *means):
        """Where the models of each role are wrong: a role's true error is that of its mean."""
        difficulty = rng.normal(0, DIFFICULTY, self.num)
        for mean in means:
            seeds = rng.normal(0, self.of_seeds, (self.num_seeds, 1))
            both = rng.normal(0, self.of_both, (self.num_seeds, self.num))
            yield mean * self.spread + difficulty + rng.normal(0, ROLE, self.num) + seeds + both > 0


COVERED, CLAIMED = ("gain", "null", "error", "copied gain", "copied error"), "claims"
QUICK = [World(0.2, 300, 3, 0.0), World(0.2, 300, 3, 0.3), World(0.1, 1000, 5, 0.1)]
REALISTIC = [
    World(error, num, num_seeds, of_seeds, of_both)
    for error in (0.05, 0.2, 0.5)
    for num in (100, 500, 2000)
    for num_seeds in (3, 5)
    for of_seeds in (0.0, 0.1, 0.5)
    for of_both in (0.5, 1.5)
]


def covers_gain(errors_RSN, truth):
    """Whether the interval of a gain, from the errors of transfer and of scratch, holds the true one."""
    transfer, scratch = errors_RSN
    low, high = gain_ends(scratch.astype(np.float64) - transfer)
    return low <= truth <= high


def covers_error(errors_SN, truth):
    found = crossed_wilson(errors_SN)
    return found.low <= truth <= found.high


def copied(rng, errors_RSN):
    """Errors of a test set in which pictures stand once, twice or six times, and its pictures: copies may differ."""
    num = errors_RSN[0].shape[1]
    pictures = np.repeat(np.arange(num), rng.choice((1, 2, 6), size=num, p=(0.7, 0.2, 0.1)))
    return [e[:, pictures] ^ (rng.random((len(e), len(pictures))) < 0.02) for e in errors_RSN], pictures


def with_flips(error):
    """The true error where 2 % of the answers are others."""
    return 0.98 * error + 0.02 * (1 - error)


def covers_copied_gain(rng, errors_RSN, truth):
    (transfer, scratch), pictures = copied(rng, errors_RSN)
    low, high = gain_ends(scratch.astype(np.float64) - transfer, pictures_N=pictures)
    return low <= 0.96 * truth <= high


def covers_copied_error(rng, errors_SN, truth):
    (errors,), pictures = copied(rng, [errors_SN])
    found = crossed_wilson(errors, pictures_N=pictures)
    return found.low <= with_flips(truth) <= found.high


def claims(errors_RSN):
    """Whether a study in which three roles are alike claims that any two of them are not: as ``compare`` decides it."""
    transfer, *others = errors_RSN
    ends = [gain_ends(other.astype(np.float64) - transfer, 1 - 0.05 / len(others)) for other in others]
    return any(low > 0 or high < 0 for low, high in ends)


def rates(world, rng, repeats, shift=0.3):
    """How often intervals hold the truth, and how often a study without a difference claims one."""
    mean, found = norm.ppf(world.error), []
    for _ in range(repeats):
        unlike, alike = list(world.errors(rng, mean, mean + shift)), list(world.errors(rng, mean, mean, mean))
        gain = covers_gain(unlike, norm.cdf(mean + shift) - world.error)
        found.append(
            (
                gain,
                covers_gain(alike[:2], 0.0),
                covers_error(unlike[0], world.error),
                covers_copied_gain(rng, unlike, norm.cdf(mean + shift) - world.error),
                covers_copied_error(rng, unlike[0], world.error),
                claims(alike),
            )
        )
    return dict(zip((*COVERED, CLAIMED), np.mean(found, axis=0).tolist(), strict=True))


#: How much more wrong than transfer scratch is with the steps of the budget, and with more; on the logit scale.
CATCHES_UP, GAINS_LITTLE, STAYS_BEHIND = (0.3, 0.0, 0.0), (0.3, 0.25, 0.25), (0.3, 0.3, 0.35)


def convergence_rates(world, rng, repeats, shifts):
    """How often the interval of the gain at convergence holds the true one, and how often there is a false claim.

    Validation, a quarter as large as test, chooses the length, from the very models that are tested. A claim is false
    where a difference is shown to scratch at convergence that has none, or to the probe, which never has one.
    """
    mean, num_val, found = norm.ppf(world.error), world.num // 4, []
    both = replace(world, num=world.num + num_val)
    for _ in range(repeats):
        transfer, probe, *lengths = both.errors(rng, mean, mean, *(mean + shift for shift in shifts))
        best = 0
        while best + 1 < len(lengths) and lengths[best + 1][:, :num_val].mean() < lengths[best][:, :num_val].mean():
            best += 1
        tested = [errors[:, num_val:] for errors in (transfer, lengths[0], lengths[best], probe)]
        shown = [shows(tested[0], other) for other in tested[1:]]
        is_false = (shown[0] and shown[1] and shifts[best] == 0) or shown[2]
        found.append((covers_gain(tested[::2], norm.cdf(mean + shifts[best]) - world.error), is_false))
    return dict(zip(("gain", "claims"), np.mean(found, axis=0).tolist(), strict=True))


def shows(transfer, other):
    """Whether a study of two comparisons shows a difference in one of them."""
    low, high = gain_ends(other.astype(np.float64) - transfer, 1 - 0.05 / 2)
    return low > 0 or high < 0


def noise(rate, repeats, errors=3.0):
    """So many standard errors of a rate that was simulated."""
    return errors * np.sqrt(rate * (1 - rate) / repeats)


def models(errors_SN, role):
    return [with_errors(errors, role, seed) for seed, errors in enumerate(errors_SN)]


def test_what_is_simulated_is_what_a_study_does():
    """The oracle of the simulations, which leave out all but the intervals."""
    rng = np.random.default_rng(13)
    for _ in range(20):
        wrong = list(QUICK[1].errors(rng, 0.0, 0.12, -0.12))
        transfer, scratch, probe = (models(w, r) for w, r in zip(wrong, ("transfer", "scratch", "probe"), strict=True))
        alone = transfer_gain(transfer, scratch)
        assert (alone.low, alone.high) == gain_ends(wrong[1].astype(np.float64) - wrong[0])
        found = compare(transfer, {"scratch": scratch, "probe": probe})
        assert any(one["verdict"] != NO_DIFFERENCE for one in found.values()) == claims(wrong)
        gated = compare(transfer, {"scratch": scratch, "probe": probe}, probe)["converged"]["verdict"]
        assert (gated != NO_DIFFERENCE) == (shows(*wrong[:2]) and shows(*wrong[::2]))


@pytest.mark.parametrize("world", QUICK, ids=str)
def test_intervals_cover_and_a_null_study_rarely_claims_anything(world):
    repeats = 800
    found = rates(world, np.random.default_rng(12), repeats)
    for what in COVERED:
        assert 0.93 - noise(0.93, repeats) <= found[what] <= 0.97 + noise(0.97, repeats)
    assert found[CLAIMED] <= 0.05 + noise(0.05, repeats)


@pytest.mark.parametrize("shifts", [CATCHES_UP, GAINS_LITTLE, STAYS_BEHIND], ids=str)
def test_the_gain_at_convergence_is_covered_though_validation_chose_the_length(shifts):
    repeats = 1000
    found = convergence_rates(QUICK[1], np.random.default_rng(14), repeats, shifts)
    assert 0.93 - noise(0.93, repeats) <= found["gain"] <= 0.97 + noise(0.97, repeats)
    assert found["claims"] <= 0.05 + noise(0.05, repeats)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shifts", [CATCHES_UP, GAINS_LITTLE, STAYS_BEHIND], ids=str)
def test_coverage_of_the_gain_at_convergence_in_realistic_worlds(shifts):
    rng, repeats = np.random.default_rng(7), 600
    worlds = [world for world in REALISTIC if world.num == 500]
    found = [convergence_rates(world, rng, repeats, shifts) for world in worlds]
    gain, claims_ = (np.array([one[what] for one in found]) for what in ("gain", "claims"))
    for what, of_worlds in (("gain", gain), ("claims", claims_)):
        print(shifts, what, of_worlds.mean().round(4), of_worlds.min().round(4), of_worlds.max().round(4))
    assert 0.93 - noise(0.93, repeats * len(worlds)) <= gain.mean() <= 0.97 + noise(0.97, repeats * len(worlds))
    assert gain.min() >= 0.93 - noise(0.93, repeats)
    assert claims_.mean() <= 0.05 + noise(0.05, repeats * len(worlds))
    assert claims_.max() <= 0.05 + noise(0.05, repeats)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("num", [100, 500, 2000])
def test_coverage_in_realistic_worlds(num):
    """Over all worlds of a size, and in each; above only where errors are not few. Measured: docs/evaluation.md."""
    rng, repeats, worlds = np.random.default_rng(7), 600, [world for world in REALISTIC if world.num == num]
    found = [rates(world, rng, repeats) for world in worlds]
    for what in (*COVERED, CLAIMED):
        of_worlds = np.array([one[what] for one in found])
        print(num, what, of_worlds.mean().round(4), of_worlds.min().round(4), of_worlds.max().round(4))
        all_repeats = repeats * len(worlds)
        if what == CLAIMED:
            assert of_worlds.mean() <= 0.05 + noise(0.05, all_repeats)
            assert of_worlds.max() <= 0.05 + noise(0.05, repeats)
            continue
        assert 0.93 - noise(0.93, all_repeats) <= of_worlds.mean() <= 0.97 + noise(0.97, all_repeats)
        assert of_worlds.min() >= 0.93 - noise(0.93, repeats)
        many = [rate for world, rate in zip(worlds, of_worlds, strict=True) if world.error * num >= MANY]
        assert max(many) <= 0.97 + noise(0.97, repeats)
