"""Time that runs share, in made numbers: what is paid adds up, and nobody is credited with what he would not do."""

from __future__ import annotations

import pytest

from translearn.boundary.chain import starts
from translearn.boundary.shares import shares

#: Pixels take 1 second; from there to depth 1 another 2, from depth 1 to depth 4 another 8.
SEGMENTS = {0: 1.0, 1: 2.0, 4: 8.0}


def test_each_segment_is_paid_by_those_that_take_it() -> None:
    found = shares(SEGMENTS, starts((1, 4), ()), [1, 4, 4])
    assert found.alone_s == {1: 3.0, 4: 11.0}
    assert found.part_s == {1: 1.0, 4: 5.0}
    assert (found.saved_s(1), found.saved_s(4)) == (2.0, 6.0)
    assert found.part_s[1] + 2 * found.part_s[4] == sum(SEGMENTS.values())


def test_one_alone_saves_nothing() -> None:
    found = shares({0: 1.0, 4: 10.0}, starts((4,), ()), [4])
    assert found.saved_s(4) == 0.0


def test_what_is_read_in_two_places_is_shared_by_nobody() -> None:
    found = shares({0: 1.0, 1: 2.0, 4: 0.5}, starts((1, 4), (4,)), [1, 4])
    assert (found.saved_s(1), found.saved_s(4)) == (0.0, 0.0)
    assert found.alone_s == {1: 3.0, 4: 0.5}


def test_training_and_validation_add_up() -> None:
    train, val = (
        shares(SEGMENTS, starts((1, 4), ()), [1, 4]),
        shares({0: 1.0, 1: 1.0, 4: 0.2}, starts((1, 4), (4,)), [1, 4]),
    )
    both = train + val
    assert both.alone_s == pytest.approx({1: 5.0, 4: 11.2})
    assert both.saved_s(4) == pytest.approx(train.saved_s(4) + val.saved_s(4))
