"""Gains of all pairs, and of both directions: closed forms, what the correction does, and coverage by simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.special import expit, logit

from translearn.evaluation.gain_matrix import Outcome, asymmetries, gain_rows
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.verdict.transfer import transfer_gain

TRIAL = {"freeze_depth": 1, "lr": 0.01, "weight_decay": 0.0}


def outcome(target: str, source: str, errors: Mapping[int, Sequence[bool]], learnt: str | None = None) -> Outcome:
    made = {seed: np.array(wrong) for seed, wrong in errors.items()}
    return Outcome(target, f"data {target}", source, "resnet18", source == "scratch", learnt, TRIAL, made)


def drawn(rate: float, rng: np.random.Generator, num: int = 200, seeds: int = 3) -> dict[int, np.ndarray]:
    return {seed: rng.random(num) < rate for seed in range(seeds)}


def matrix(rates: dict[tuple[str, str], float], learnt: dict[str, str], seed: int = 0, num: int = 200) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    return [
        outcome(target, source, drawn(rate, rng, num), learnt.get(source)) for (target, source), rate in rates.items()
    ]


TWO = {("x", "scratch"): 0.5, ("x", "a"): 0.2, ("y", "scratch"): 0.4, ("y", "a"): 0.6}


def test_a_row_has_the_gain_of_its_own_pair_corrected_for_all() -> None:
    outcomes = matrix(TWO, {})
    rows = gain_rows(outcomes)
    assert [(row["target"], row["source"], row["verdict"]) for row in rows] == [
        ("x", "a", "helped"),
        ("y", "a", "hurt"),
    ]
    scratch, found = outcomes[0].stacked, outcomes[1].stacked
    assert rows[0]["gain"] == pytest.approx(scratch.mean() - found.mean())
    assert (rows[0]["error"], rows[0]["scratch_error"]) == (found.mean(), scratch.mean())
    assert rows[0]["num_comparisons"] == 2
    assert rows[0]["family_low"] < rows[0]["low"] < rows[0]["gain"] < rows[0]["high"] < rows[0]["family_high"]


def test_a_source_without_its_scratch_has_no_row_and_changes_no_other() -> None:
    outcomes = matrix(TWO, {})
    assert gain_rows(outcomes[:2] + outcomes[3:]) == gain_rows(outcomes[:2])
    assert gain_rows(outcomes[3:]) == []


def test_copies_of_a_picture_count_once() -> None:
    once = matrix(TWO, {})
    twice = [
        dataclasses.replace(
            one,
            errors={seed: np.tile(wrong, 2) for seed, wrong in one.errors.items()},
            pictures=np.tile(np.arange(200), 2),
        )
        for one in once
    ]
    keys = ("gain", "low", "high", "family_low", "error_low", "error_high")
    for row, copied in zip(gain_rows(once), gain_rows(twice), strict=True):
        assert [copied[key] for key in keys] == pytest.approx([row[key] for key in keys], abs=1e-3)


def test_a_matrix_of_one_pair_has_the_verdict_of_a_study() -> None:
    """The oracle: one variance tells of no other."""
    rng = np.random.default_rng(1)
    labels, pairs = rng.integers(0, 5, 100), []
    for role in ("transfer", "scratch"):
        group = [Predictions(role, seed, rng.dirichlet(np.ones(5), 100), labels) for seed in (3, 7)]
        errors = {one.seed: one.errors for one in group}
        pairs.append((group, outcome("x", "scratch" if role == "scratch" else "a", errors)))
    whole = transfer_gain(pairs[0][0], pairs[1][0])
    (row,) = gain_rows([pairs[0][1], pairs[1][1]])
    for name in ("gain", "low", "high", "family_low", "family_high"):
        assert row[name] == pytest.approx(getattr(whole, name))
    assert row["verdict"] == whole.verdict


def test_one_seed_gives_the_interval_over_examples() -> None:
    rng = np.random.default_rng(3)
    rows = gain_rows([outcome(t, s, drawn(rate, rng, seeds=1)) for (t, s), rate in TWO.items()])
    assert all(row["low"] < row["gain"] < row["high"] for row in rows)
    assert all(0.05 < row["high"] - row["low"] < 0.4 for row in rows)


def test_each_architecture_is_compared_with_its_own_scratch() -> None:
    outcomes = matrix({("x", "scratch"): 0.5, ("x", "a"): 0.2}, {})
    rng = np.random.default_rng(2)
    for source, rate in (("scratch-vgg", 0.1), ("b", 0.3)):
        made = drawn(rate, rng)
        outcomes.append(Outcome("x", "data x", source, "vgg11_bn", source != "b", None, TRIAL, made))
    assert [row["verdict"] for row in gain_rows(outcomes)] == ["helped", "hurt"]


def test_a_source_of_the_targets_own_data_is_marked() -> None:
    outcomes = matrix({**TWO, ("x", "b"): 0.1, ("y", "b"): 0.3}, {"a": "data x", "b": "data elsewhere"})
    marks = {(row["target"], row["source"]): row["is_own_data"] for row in gain_rows(outcomes)}
    assert marks == {("x", "a"): True, ("y", "a"): False, ("x", "b"): False, ("y", "b"): False}


def test_leaks_and_readings_of_test_stay_with_their_row() -> None:
    scratch, found = matrix({("x", "scratch"): 0.5, ("x", "a"): 0.2}, {})
    (row,) = gain_rows([scratch, found])
    assert (row["num_exact"], row["num_near"], row["test_reads"]) == (None, None, 1)  # nobody looked
    (row,) = gain_rows([scratch, dataclasses.replace(found, leaks=(3, 2), test_reads=2)])
    assert (row["num_exact"], row["num_near"], row["test_reads"]) == (3, 2, 2)


BOTH = {
    ("x", "scratch"): 0.5,
    ("x", "of x"): 0.05,
    ("x", "of y"): 0.2,
    ("y", "scratch"): 0.5,
    ("y", "of x"): 0.45,
    ("y", "of y"): 0.05,
}
LEARNT = {"of x": "data x", "of y": "data y"}


def test_both_directions_by_hand() -> None:
    outcomes = matrix(BOTH, LEARNT)
    (found,) = asymmetries(outcomes)
    assert (found.first, found.second, found.forward, found.backward) == ("x", "y", "of x", "of y")
    errors = {(one.target, one.source): one.stacked.mean() for one in outcomes}
    there = errors["y", "scratch"] - errors["y", "of x"]
    back = errors["x", "scratch"] - errors["x", "of y"]
    assert found.difference == pytest.approx(there - back)
    assert found.low < found.difference < found.high < 0  # y's source is worth more to x


def test_the_interval_of_a_difference_is_the_root_of_the_sum_of_squares_where_theirs_are_symmetric() -> None:
    outcomes = matrix(BOTH, LEARNT, num=2000)
    (found,) = asymmetries(outcomes)
    gains = {(row["target"], row["source"]): row for row in gain_rows(outcomes)}
    halves = [(row["high"] - row["low"]) / 2 for row in (gains["y", "of x"], gains["x", "of y"])]
    assert found.high - found.difference == pytest.approx(np.hypot(*halves), rel=1e-6)


@pytest.mark.parametrize("learnt", [{}, {"of x": "data x"}, {"of x": "data x", "of y": "data x"}])
def test_without_sources_of_both_there_is_no_other_direction(learnt: dict[str, str]) -> None:
    assert asymmetries(matrix(BOTH, learnt)) == []


def test_swapping_the_targets_turns_the_sign() -> None:
    outcomes = matrix(BOTH, LEARNT)
    (one,), (other,) = asymmetries(outcomes), asymmetries(outcomes[::-1])
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))


NULL = [(target, source) for target in "wxyz" for source in ("scratch", "of w", "of x", "b")]


def null_matrix(rng: np.random.Generator, num_seeds: int, of_seeds: float) -> list[Outcome]:
    """Twelve pairs without any difference; each refit is better or worse as a whole, by so much on the logit scale."""
    outcomes = []
    for target, source in NULL:
        rates = expit(logit(0.3) + rng.normal(0, of_seeds, num_seeds))
        errors = {seed: rng.random(120) < rate for seed, rate in enumerate(rates)}
        outcomes.append(outcome(target, source, errors, {"of w": "data w", "of x": "data x"}.get(source)))
    return outcomes


@pytest.mark.parametrize(
    ("num_seeds", "of_seeds"),
    [pytest.param(3, 0.0, marks=pytest.mark.slow), (3, 0.3), pytest.param(5, 0.3, marks=pytest.mark.slow)],
)
def test_in_a_null_matrix_a_false_verdict_is_rare_over_all_pairs(num_seeds: int, of_seeds: float) -> None:
    """At most 5 % of the matrices, and of their directions, may claim anything; three errors of the simulation more."""
    rng, num = np.random.default_rng(6), 500
    false = np.zeros(2)
    for _ in range(num):
        made = null_matrix(rng, num_seeds, of_seeds)
        false[0] += any(row["verdict"] != "no difference shown" for row in gain_rows(made))
        false[1] += any(one.low > 0 or one.high < 0 for one in asymmetries(made))
    assert (false / num <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / num)).all()
