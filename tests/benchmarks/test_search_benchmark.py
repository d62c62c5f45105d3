"""The search benchmark compares tables, and the expected time of searches."""

from __future__ import annotations

from typing import Any

import pytest
from search import Searched, TrialResult, _table, agree, expected_seconds

KEY = ("glyphs", 0, 1e-3)
FIRST, LAST = (
    {"epoch": epoch, "train_loss": 0.9, "val_loss": 0.8, "val_error": 0.5, "ended_at": 7.0} for epoch in (1, 2)
)
WHOLE = [FIRST, {**LAST, "weights": "a"}]


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (WHOLE, True),
        ([{**FIRST, "ended_at": 9.0}], True),  # stopped; the time is not compared
        ([FIRST, {**LAST, "weights": "b"}], False),
        ([{**FIRST, "val_loss": 0.8000001}], False),
    ],
)
def test_tables_agree_as_far_as_both_ran(other: list[dict[str, Any]], equal: bool) -> None:
    assert agree([{KEY: WHOLE}, {KEY: other}]) is equal


def test_two_tables_may_differ_where_a_third_was_stopped() -> None:
    other = [FIRST, {**LAST, "weights": "b"}]
    assert not agree([{KEY: [FIRST]}, {KEY: WHOLE}, {KEY: other}])


def test_a_table_without_all_trials_is_an_error() -> None:
    trial = TrialResult("name", {"source": "glyphs", "freeze_depth": 0, "lr": 1e-3}, WHOLE)
    assert list(_table([trial], [trial.config])) == [KEY]
    with pytest.raises(AssertionError, match=r"a table must have the trials .*1e-2|0\.01.*, but has"):
        _table([trial], [trial.config, {**trial.config, "lr": 1e-2}])


def test_a_search_in_vain_costs_its_whole_time() -> None:
    searches = [Searched(60.0, [(20.0, 0.1), (30.0, 0.04)]), Searched(50.0, [(40.0, 0.1)])]
    assert expected_seconds(searches, 0.05) == 80.0
    assert expected_seconds(searches, 0.01) == 220.0
