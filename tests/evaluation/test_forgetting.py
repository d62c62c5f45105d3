from __future__ import annotations

import numpy as np
import pytest

from translearn.errors import InputError
from translearn.evaluation.forgetting import DepthErrors, forgetting, forgetting_by_depth
from translearn.evaluation.intervals.interval import wilson


def test_rise_is_paired_and_counts_are_wilson():
    before, after = np.arange(200) < 20, np.arange(200) < 80
    found = forgetting(before, after)
    assert found["num_examples"] == 200
    assert found["before"] == {"value": 0.1, "low": wilson(20, 200).low, "high": wilson(20, 200).high}
    assert found["after"]["value"] == 0.4
    assert found["rise"]["value"] == pytest.approx(0.3)
    # 60 of 200 rise: variance 0.21 * 200/199, t(0.975, 199) = 1.97196.
    assert found["rise"]["high"] - 0.3 == pytest.approx(1.97196 * np.sqrt(0.21 / 199 + 1 / 200**2), rel=1e-5)


def test_unchanged_predictions_show_no_rise():
    errors = np.arange(50) < 5
    rise = forgetting(errors, errors)["rise"]
    assert rise["value"] == 0
    assert rise["low"] < 0 < rise["high"]


def test_different_examples_are_a_fault():
    with pytest.raises(InputError) as error:
        forgetting(np.zeros(3, bool), np.zeros(4, bool))
    assert str(error.value) == (
        "forgetting: both must be of the same examples, at least 1, but got (3,) before and (4,) after. "
        "Predict one split with both."
    )


def depth(freeze_depth, num_wrong, num_source_errors):
    return DepthErrors(freeze_depth, 0.01, num_wrong, 100, np.arange(200) < num_source_errors)


def test_depths_that_none_beats_in_both_errors_are_on_the_front():
    before = np.arange(200) < 20
    found = forgetting_by_depth(before, [depth(0, 10, 90), depth(1, 12, 60), depth(2, 12, 80), depth(3, 30, 20)])
    assert [row["is_on_front"] for row in found["depths"]] == [True, True, False, True]
    last = found["depths"][3]
    assert last["target"] == {"value": 0.3, "low": wilson(30, 100).low, "high": wilson(30, 100).high}
    assert last["source"] == found["before"] == forgetting(before, before)["before"]
    assert (last["rise"]["value"], last["freeze_depth"], last["lr"]) == (0, 3, 0.01)


def test_equal_depths_share_the_front():
    found = forgetting_by_depth(np.zeros(200, bool), [depth(0, 10, 5), depth(1, 10, 5)])
    assert [row["is_on_front"] for row in found["depths"]] == [True, True]
