from __future__ import annotations

import numpy as np
import pytest

from translearn.errors import InputError
from translearn.evaluate.forgetting import forgetting
from translearn.evaluate.interval import wilson


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
