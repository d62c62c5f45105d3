from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation_cases import predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from translearn.evaluation.calibration import calibration, expected_calibration_error, reliability
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.temperature import fit_temperature, scaled


def drawn(rng, num, too_sure):
    """Predictions whose true chances are known; the model's logits are so many times too large."""
    logits = rng.normal(0, 1.5, (num, 4))
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(axis=1) < rng.random((num, 1))).sum(axis=1)
    return Predictions("transfer", 0, softmax(too_sure * logits, axis=1), labels)


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(too_sure):
    assert fit_temperature(drawn(np.random.default_rng(0), 20_000, too_sure)) == pytest.approx(too_sure, rel=0.05)


def test_no_other_temperature_has_a_lower_loss():
    found = drawn(np.random.default_rng(1), 300, 2.0)
    best = fit_temperature(found)
    losses = [scaled(found, t).losses.mean() for t in np.geomspace(0.05, 20, 200)]
    assert scaled(found, best).losses.mean() <= min(losses) + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 20))
def test_scaling_changes_no_prediction(seed, temperature):
    found = drawn(np.random.default_rng(seed), 20, 1.0)
    assert (scaled(found, temperature).predicted == found.predicted).all()
    assert np.allclose(scaled(found, 1.0).probabilities, found.probabilities)


def test_without_a_mistake_the_temperature_is_bounded():
    assert 0.05 <= fit_temperature(predictions([0, 1, 2], [0, 1, 2], confidence=0.7)) < 1


def test_a_chance_of_zero_is_no_infinity():
    sure = predictions([0, 1], [0, 2], confidence=1.0)
    assert np.isfinite(sure.losses).all()
    assert 1 <= fit_temperature(sure) <= 20


def test_calibration_is_better_after_scaling_and_says_by_how_much():
    rng = np.random.default_rng(2)
    found = calibration(drawn(rng, 3000, 3.0), drawn(rng, 3000, 3.0))
    assert found["temperature"] == pytest.approx(3, rel=0.1)
    assert found["after"]["ece"] < found["before"]["ece"] / 2
    for name in ("brier", "loss"):
        change = found["change"][name]
        assert change["value"] == pytest.approx(found["after"][name]["value"] - found["before"][name]["value"])
        assert change["low"] < change["value"] < change["high"] < 0


def test_validation_alone_decides_the_temperature():
    rng = np.random.default_rng(3)
    test, validation = drawn(rng, 200, 1.0), drawn(rng, 200, 2.0)
    wrong = replace(test, labels=(test.labels + 1) % 4)
    assert calibration(test, validation)["temperature"] == calibration(wrong, validation)["temperature"]
    assert calibration(wrong, validation)["before"]["ece"] == expected_calibration_error(reliability(wrong))
