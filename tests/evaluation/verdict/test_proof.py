"""Class gains, optimism, worst mistakes, and comparisons against several baselines."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from evaluation_cases import predictions, with_errors

from translearn.evaluation.intervals.comparisons import compare
from translearn.evaluation.intervals.optimism import optimism
from translearn.evaluation.mistakes import worst_mistakes
from translearn.evaluation.verdict.class_gain import class_gains
from translearn.evaluation.verdict.transfer import transfer_gain


def models(rng, role, rates, labels, num_seeds=5):
    wrong = [rng.random(len(labels)) < np.asarray(rates)[labels] for _ in range(num_seeds)]
    return [predictions(labels, np.where(w, (labels + 1) % 3, labels), role, seed) for seed, w in enumerate(wrong)]


def test_a_class_gain_is_the_gain_of_its_examples_alone():
    rng, labels = np.random.default_rng(0), np.repeat([0, 1, 2], 400)
    transfer, scratch = (
        models(rng, "transfer", (0.1, 0.5, 0.3), labels),
        models(rng, "scratch", (0.4, 0.2, 0.3), labels),
    )
    rows = class_gains(transfer, scratch, ["a", "b", "c"])
    assert [(row["class"], row["verdict"]) for row in rows] == [
        ("a", "helped"),
        ("c", "no difference shown"),
        ("b", "hurt"),
    ]
    alone = [s.errors[:400].mean() - t.errors[:400].mean() for t, s in zip(transfer, scratch, strict=True)]
    assert rows[0]["gain"] == pytest.approx(np.mean(alone))
    assert rows[0]["num"] == 400
    for row in rows:
        assert row["family_low"] < row["low"] < row["gain"] < row["high"] < row["family_high"]


def test_a_class_without_a_test_example_has_no_row_and_one_example_claims_nothing():
    labels = np.array([0] * 50 + [2])
    rows = class_gains(
        [predictions(labels, labels, seed=s) for s in (0, 1)],
        [predictions(labels, (labels + 1) % 3, "scratch", s) for s in (0, 1)],
        ["a", "b", "c"],
    )
    assert {row["class"]: row["verdict"] for row in rows} == {"a": "helped", "c": "no difference shown"}


def test_null_classes_are_rarely_called_different():
    rng, labels, repeats = np.random.default_rng(1), np.repeat([0, 1, 2], 60), 150
    claimed = sum(
        any(
            row["verdict"] != "no difference shown"
            for row in class_gains(
                models(rng, "transfer", (0.3,) * 3, labels), models(rng, "scratch", (0.3,) * 3, labels), "abc"
            )
        )
        for _ in range(repeats)
    )
    assert claimed / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


def test_two_comparisons_widen_the_interval_of_the_verdict_alone():
    rng = np.random.default_rng(2)
    of = {role: [with_errors(rng.random(500) < 0.2, role, s) for s in range(3)] for role in ("transfer", "scratch")}
    probe = [with_errors(rng.random(500) < 0.3, "probe", s) for s in range(3)]
    alone = transfer_gain(of["transfer"], of["scratch"])
    both = compare(of["transfer"], {"scratch": of["scratch"], "probe": probe})
    assert (alone.family_low, alone.family_high, alone.family_confidence) == (alone.low, alone.high, 0.95)
    found = both["scratch"]
    assert (found["low"], found["high"], found["family_confidence"]) == (alone.low, alone.high, 0.975)
    assert found["family_low"] < found["low"] < found["high"] < found["family_high"]
    assert (found["baseline"], both["probe"]["baseline"]) == ("scratch", "probe")
    p_values = [both[role]["examples_test"] for role in both]
    smaller, larger = sorted(p_values, key=lambda test: test["p"])
    assert smaller["p_holm"] == pytest.approx(min(1, 2 * smaller["p"]))
    assert larger["p_holm"] == pytest.approx(max(smaller["p_holm"], larger["p"]))


def test_optimism_is_validation_minus_test():
    validation = [with_errors([1] * 10 + [0] * 90, seed=s) for s in (0, 1)]
    test = [with_errors([1] * 30 + [0] * 70, seed=s) for s in (0, 1)]
    found = optimism(0.05, validation, test)
    assert found["refits"]["value"] == pytest.approx(-0.2)
    assert found["search"]["value"] == pytest.approx(-0.25)
    assert found["refits"]["low"] < -0.2 < found["refits"]["high"] < 0
    assert optimism(None, validation, test)["search"] is None


def test_optimisms_interval_covers_the_true_difference():
    rng, repeats, covered = np.random.default_rng(3), 300, {"search": 0, "refits": 0}
    for _ in range(repeats):
        shift = rng.normal(0, 0.02, 4)  # of three refits and of the trial, which is a run like them

        def errors(num, seed, shift=shift):
            return with_errors(rng.random(num) < 0.25 + shift[seed], seed=seed)

        validation, test = ([errors(num, seed) for seed in range(3)] for num in (200, 800))
        found = optimism((rng.random(200) < 0.25 + shift[3]).mean(), validation, test)
        for name in covered:
            covered[name] += found[name]["low"] <= 0 <= found[name]["high"]
    assert min(covered.values()) / repeats >= 0.93 - 2 * np.sqrt(0.05 * 0.95 / repeats)


def test_the_worst_mistake_is_that_of_highest_loss():
    labels, predicted = [0, 1, 2, 0], [0, 2, 0, 1]
    found = predictions(labels, predicted)
    found.probabilities[2] = (0.98, 0.01, 0.01)
    worst = worst_mistakes(found)
    assert [mistake.row for mistake in worst] == [2, 1, 3]
    assert (worst[0].label, worst[0].predicted, worst[0].confidence) == (2, 0, 0.98)
    assert worst[0].loss == pytest.approx(-log(0.01))
    assert [mistake.row for mistake in worst_mistakes(found, limit=1)] == [2]
    assert worst_mistakes(predictions([0], [0])) == []
