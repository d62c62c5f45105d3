from __future__ import annotations

import numpy as np
import pytest

from translearn.evaluation.dynamics import Curve, dynamics
from translearn.evaluation.label_efficiency import LabelPoint, label_efficiency, labels_to


def curve(*errors, seconds=2.0):
    return Curve(errors, [seconds] * len(errors))


def test_jumpstart_asymptote_and_time_to_the_error_of_scratch():
    found = dynamics(
        {
            "transfer": [curve(0.5, 0.3, 0.2, 0.1), curve(0.6, 0.4, 0.3, 0.2), curve(0.55, 0.4, 0.3, 0.15)],
            "scratch": [curve(0.9, 0.7, 0.5, 0.3), curve(0.8, 0.6, 0.5, 0.3), curve(0.85, 0.6, 0.5, 0.3)],
        }
    )
    transfer, scratch = (found["roles"][role] for role in ("transfer", "scratch"))
    assert found["threshold"] == pytest.approx(0.3)
    assert found["last_epochs"] == 1
    assert transfer["first"]["value"] == pytest.approx(0.55)
    assert transfer["epochs_to_threshold"]["of_seeds"] == [2, 3, 3]
    assert transfer["seconds_to_threshold"]["of_seeds"] == [4.0, 6.0, 6.0]
    assert transfer["epochs_to_threshold"]["value"] == pytest.approx(8 / 3)
    assert scratch["epochs_to_threshold"]["of_seeds"] == [4, 4, 4]
    # Paired: gains of 0.4, 0.2 and 0.3, so mean 0.3 and t(0.975, 2) = 4.30265 times 0.1 / sqrt(3).
    jump = found["gains"]["transfer"]["jumpstart"]
    assert (jump["value"], jump["low"], jump["high"]) == pytest.approx((0.3, 0.3 - 0.248414, 0.3 + 0.248414), rel=1e-5)
    assert found["gains"]["transfer"]["asymptotic"]["value"] == pytest.approx(0.15)


def test_intervals_of_errors_are_errors_and_two_seeds_have_none():
    ends = (0.0, 0.9, 0.1)
    found = dynamics({"transfer": [curve(0.9, end) for end in ends], "scratch": [curve(0.1, 1 - end) for end in ends]})
    last = found["roles"]["transfer"]["last"]
    assert (last["low"], last["high"]) == (0, 1)
    assert found["gains"]["transfer"]["asymptotic"]["high"] == 1
    two = dynamics({"scratch": [curve(0.9, 0.1), curve(0.9, 0.2)]})["roles"]["scratch"]["last"]
    assert two == {"value": pytest.approx(0.15), "low": None, "high": None}


def test_a_threshold_that_is_never_reached_is_censored_and_has_no_mean():
    found = dynamics({"transfer": [curve(0.9, 0.8), curve(0.9, 0.1)], "scratch": [curve(0.5, 0.3), curve(0.5, 0.1)]})
    assert found["roles"]["transfer"]["epochs_to_threshold"] == {
        "value": None,
        "low": None,
        "high": None,
        "of_seeds": [None, 2],
        "num_censored": 1,
    }


def test_the_last_tenth_of_the_epochs_is_averaged():
    errors = np.linspace(0.9, 0.0, 20)
    found = dynamics({"scratch": [Curve(errors, [1.0] * 20)]})
    assert found["last_epochs"] == 2
    assert found["roles"]["scratch"]["asymptote"]["value"] == pytest.approx(errors[-2:].mean())
    assert found["roles"]["scratch"]["first"]["low"] is None
    assert found["gains"] == {}


def points(*errors, nums=(10, 20, 40, 80)):
    return [LabelPoint(num, [error]) for num, error in zip(nums, errors, strict=True)]


def test_a_level_between_two_points_is_interpolated_in_the_logarithm():
    found = labels_to(points(0.8, 0.6, 0.4, 0.2), 0.5)
    assert found["labels"] == pytest.approx(np.sqrt(20 * 40))
    assert (found["low"], found["high"], found["bound"]) == (None, None, None)
    assert labels_to(points(0.8, 0.6, 0.4, 0.2), 0.4)["labels"] == pytest.approx(40)


@pytest.mark.parametrize(("level", "bound", "labels"), [(0.9, "at most", 10), (0.1, "more than", 80)])
def test_outside_of_the_curve_there_is_a_bound(level, bound, labels):
    assert labels_to(points(0.8, 0.6, 0.4, 0.2), level) == {"labels": labels, "low": None, "high": None, "bound": bound}


def test_several_draws_give_an_interval():
    transfer = [LabelPoint(10, [0.8, 0.7, 0.8]), LabelPoint(20, [0.5, 0.45, 0.4]), LabelPoint(40, [0.3, 0.3, 0.3])]
    found = labels_to(transfer, 0.6)
    assert found["low"] < found["labels"] < found["high"]
    beyond = [LabelPoint(10, [0.8, 0.5, 0.8]), *transfer[1:]]  # one draw is below at once: how far is not known
    assert labels_to(beyond, 0.6)["low"] is None


def test_what_the_source_is_worth_and_what_scratch_would_need():
    found = label_efficiency(points(0.5, 0.4, 0.3, 0.2), points(0.9, 0.8, 0.6, 0.4))
    assert found["num_labels"] == 80
    assert found["worth"]["labels"] == pytest.approx(20)
    assert found["worth_of_scratch"] == {"labels": 80, "low": None, "high": None, "bound": "more than"}
    assert [row["error"] for row in found["curves"]["scratch"]] == [0.9, 0.8, 0.6, 0.4]
