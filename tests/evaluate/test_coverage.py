"""Simulated studies: intervals cover what they should, and null studies rarely claim anything.

A test example has a difficulty; a role has its own view of it; a seed is better or worse as a whole, and on single
examples. All are normal on the logit scale, so that the true error has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from evaluation_cases import with_errors
from scipy.stats import norm

from translearn.evaluate.comparisons import compare
from translearn.evaluate.interval import crossed_wilson
from translearn.evaluate.transfer import NO_DIFFERENCE, transfer_gain

DIFFICULTY, ROLE = 2.0, 0.7


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


QUICK = [World(0.2, 300, 3, 0.0), World(0.2, 300, 3, 0.3), World(0.1, 1000, 5, 0.1)]
REALISTIC = [
    World(error, num, num_seeds, of_seeds, of_both)
    for error in (0.05, 0.2, 0.5)
    for num in (100, 500, 2000)
    for num_seeds in (3, 5)
    for of_seeds in (0.0, 0.1, 0.5)
    for of_both in (0.5, 1.5)
]


def covers_gain(world, rng, shift):
    """Whether the interval of a gain, from errors that differ by ``shift`` standard deviations, holds the true one."""
    mean = norm.ppf(world.error)
    transfer, scratch = world.errors(rng, mean, mean + shift)
    found = transfer_gain(models(transfer, "transfer"), models(scratch, "scratch"))
    return found.low <= norm.cdf(mean + shift) - world.error <= found.high


def covers_error(world, rng):
    (errors,) = world.errors(rng, norm.ppf(world.error))
    found = crossed_wilson(errors)
    return found.low <= world.error <= found.high


def models(errors_SN, role):
    return [with_errors(errors, role, seed) for seed, errors in enumerate(errors_SN)]


def claims(world, rng):
    """Whether a study in which three roles are alike claims that any two of them are not."""
    transfer, scratch, probe = world.errors(rng, *[norm.ppf(world.error)] * 3)
    others = {"scratch": models(scratch, "scratch"), "probe": models(probe, "probe")}
    found = compare(models(transfer, "transfer"), others)
    return any(verdict["verdict"] != NO_DIFFERENCE for verdict in found.values())


@pytest.mark.parametrize("world", QUICK, ids=str)
def test_intervals_cover(world):
    rng, repeats = np.random.default_rng(12), 400
    error = 3 * np.sqrt(0.95 * 0.05 / repeats)
    gains = np.mean([covers_gain(world, rng, 0.3) for _ in range(repeats)])
    assert 0.93 - error <= gains <= 0.97 + error
    assert 0.93 - error <= np.mean([covers_error(world, rng) for _ in range(repeats)]) <= 0.97 + error


@pytest.mark.parametrize("world", QUICK, ids=str)
def test_a_null_study_rarely_claims_anything(world):
    rng, repeats = np.random.default_rng(11), 300
    claimed = np.mean([claims(world, rng) for _ in range(repeats)])
    assert claimed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.slow
@pytest.mark.parametrize("num", [100, 500, 2000])
def test_coverage_in_realistic_worlds(num):
    """Over all worlds of a size 93 to 97 %; in none below 93 %, but for four standard errors of the simulation."""
    rng, repeats, worlds = np.random.default_rng(7), 400, [world for world in REALISTIC if world.num == num]
    found = {
        what: np.array([np.mean([one(world) for _ in range(repeats)]) for world in worlds])
        for what, one in (
            ("gain", lambda world: covers_gain(world, rng, 0.3)),
            ("null", lambda world: covers_gain(world, rng, 0.0)),
            ("error", lambda world: covers_error(world, rng)),
        )
    }
    print({what: (rates.mean().round(4), rates.min(), rates.max()) for what, rates in found.items()})
    for rates in found.values():
        assert 0.93 <= rates.mean() <= 0.975
        assert rates.min() >= 0.93 - 4 * np.sqrt(0.93 * 0.07 / repeats)


@pytest.mark.slow
@pytest.mark.parametrize("num", [100, 500, 2000])
def test_null_studies_in_realistic_worlds_claim_at_most_5_percent(num):
    rng, repeats, worlds = np.random.default_rng(8), 300, [world for world in REALISTIC if world.num == num]
    rates = np.array([np.mean([claims(world, rng) for _ in range(repeats)]) for world in worlds])
    print(rates.mean().round(4), rates.min(), rates.max())
    assert rates.mean() <= 0.05
    assert rates.max() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)
