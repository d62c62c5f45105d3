"""The search benchmark compares whole tables: one without rows, or with short trials, is no agreement."""

from __future__ import annotations

import pytest
from search import Table, _agree, _over_turns

ROWS = [[1, 0.9, 0.8, 0.5], [2, 0.7, 0.6, 0.4]]
WHOLE: Table = {0: (ROWS, "a"), 1: (ROWS, "b")}
PLACES = {"exhaustive": range(2), "race": range(2), "plain": range(2)}


def test_tables_agree_as_far_as_a_race_ran() -> None:
    assert _agree({"exhaustive": WHOLE, "race": {0: (ROWS, "a"), 1: (ROWS[:1], None)}}, PLACES, 2)


def test_other_figures_or_weights_are_no_agreement() -> None:
    for other in ((ROWS, "c"), ([[1, 0.9, 0.8, 0.6], ROWS[1]], "b")):
        assert not _agree({"exhaustive": WHOLE, "plain": {0: (ROWS, "a"), 1: other}}, PLACES, 2)


@pytest.mark.parametrize("table", [{}, {0: (ROWS, "a")}, {0: (ROWS, "a"), 2: (ROWS, "b")}])
def test_a_table_without_all_trials_is_an_error(table: Table) -> None:
    with pytest.raises(AssertionError, match=r"plain must have the trials \[0, 1\], but has"):
        _agree({"exhaustive": WHOLE, "plain": table}, PLACES, 2)


def test_a_trial_that_ended_early_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"plain must have trials of 2 epochs, but these have fewer: \[1\]"):
        _agree({"exhaustive": WHOLE, "plain": {0: (ROWS, "a"), 1: (ROWS[:1], None)}}, PLACES, 2)


def test_over_turns_figures_have_a_spread_and_tables_are_equal_only_in_all() -> None:
    turn = {"seconds": {"race": 10.0}, "seconds_to_best": {"plain": None}, "estimated": ["plain"], "tables_equal": True}
    found = _over_turns([turn, {**turn, "seconds": {"race": 14.0}, "tables_equal": False}])
    assert found["seconds"]["race"] == {"median": 12.0, "min": 10.0, "max": 14.0, "n": 2}
    assert (found["seconds_to_best"], found["estimated"]) == ({"plain": None}, ["plain"])
    assert not found["tables_equal"]
