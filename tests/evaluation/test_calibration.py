from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import predictions

from translearn.evaluation.calibration import calibration, expected_calibration_error, reliability
from translearn.evaluation.predictions import Predictions


def test_ece_of_one_confidence_is_the_gap_to_the_accuracy():
    # Always 0.9 sure, right in 3 of 4.
    case = predictions(labels=[0, 0, 0, 0], predicted=[0, 0, 0, 1])
    assert calibration(case, case)["before"]["ece"] == pytest.approx(0.15)


def test_ece_weights_bins_by_their_examples():
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.4, 0.6]])
    case = Predictions("winner", 0, probabilities, np.array([0, 0, 0, 0]))
    assert expected_calibration_error(reliability(case)) == pytest.approx((3 * 0.1 + 1 * 0.6) / 4)


def test_a_bin_holds_its_upper_edge():
    # Source: Guo et al. 2017: bin m is ((m - 1) / M, m / M].
    case = Predictions("winner", 0, np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]), np.array([0, 0, 0]))
    assert [b["num"] for b in reliability(case, num_bins=4)] == [0, 1, 1, 1]


def test_brier_goes_from_zero_to_two():
    def brier(row: list[float], label: int) -> float:
        case = Predictions("winner", 0, np.array([row]), np.array([label]))
        return calibration(case, case)["before"]["brier"]["value"]

    assert brier([1.0, 0.0], 0) == 0
    assert brier([1.0, 0.0], 1) == 2
    assert brier([0.5, 0.5], 1) == 0.5


def test_probabilities_that_are_true_are_calibrated():
    rng = np.random.default_rng(3)
    first = rng.uniform(0, 1, 40_000)
    labels = (rng.uniform(0, 1, 40_000) > first).astype(np.int64)
    case = Predictions("winner", 0, np.stack([first, 1 - first], axis=1), labels)
    before = calibration(case, case)["before"]
    assert before["ece"] < 0.01
    assert before["brier"]["value"] == pytest.approx(1 / 3, abs=0.01)  # E[2 p (1 - p)] of a uniform p
