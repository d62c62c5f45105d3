from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.errors import InputError
from translearn.ranking.combine import mean_rank

NAN = float("nan")
columns = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4)


def test_two_scores_that_disagree_meet_in_the_middle():
    assert mean_rank({"a": [1, 2, 3], "b": [30, 20, 10]}) == pytest.approx([0.5, 0.5, 0.5])


def test_best_by_every_score_comes_first_and_ties_share():
    assert mean_rank({"a": [1, 1, 5], "b": [0, 0, 9]}) == pytest.approx([1 / 3, 1 / 3, 5 / 6])


def test_a_score_that_does_not_apply_is_left_out_for_that_source():
    # By b only sources 0 and 2 are ranked: 1/4 and 3/4.
    got = mean_rank({"a": [1, 2, 3], "b": [-1.0, NAN, -0.5]})
    assert got == pytest.approx([(1 / 6 + 1 / 4) / 2, 1 / 2, (5 / 6 + 3 / 4) / 2])


def test_a_score_that_applies_to_no_source_says_nothing():
    assert mean_rank({"a": [1, 2], "b": [NAN, NAN]}) == pytest.approx([0.25, 0.75])


def test_one_source_is_in_the_middle():
    assert mean_rank({"a": [3.0]}) == pytest.approx([0.5])


@settings(max_examples=30, deadline=None)
@given(a=columns, b=columns)
def test_units_of_a_score_do_not_matter(a, b):
    stretched = (np.array(b) * 4 - 8.0).tolist()
    order = np.argsort(b, kind="stable")
    if np.array_equal(np.sign(np.diff(np.array(b)[order])), np.sign(np.diff(np.array(stretched)[order]))):
        assert mean_rank({"a": a, "b": b}) == pytest.approx(mean_rank({"a": a, "b": stretched}))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "scores: must have one value a source, for at least one score, but got shapes {}."),
        ({"a": [1.0], "b": [1.0, 2.0]}, "for at least one score, but got shapes {'a': (1,), 'b': (2,)}."),
        (
            {"a": [1.0, float("-inf")]},
            "scores.a: must be finite, or NaN where the score does not apply, but got [1.0, -inf].",
        ),
        ({"a": [1.0, NAN]}, "scores: must hold a score for every source, but got none for sources [1]."),
    ],
)
def test_bad_scores_say_what_is_wrong(scores, message):
    with pytest.raises(InputError) as caught:
        mean_rank(scores)
    assert message in str(caught.value)
