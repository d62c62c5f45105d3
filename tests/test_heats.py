"""Grouping: sharing without idle slots."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from translearn.contest import Contestant, Point
from translearn.heats import group

STAGES = {"a": 5, "b": 5, "scratch": 5}


def contestants(*points: tuple[str, int]) -> list[Contestant]:
    return [
        Contestant(number, Point(source, depth, 0.01, 0.0, source == "scratch"))
        for number, (source, depth) in enumerate(points, 1)
    ]


def shown(heats: list[tuple[Contestant, ...]]) -> list[list[tuple[str, int]]]:
    return [[(one.point.source, one.point.freeze_depth) for one in heat] for heat in heats]


def test_one_slot_shares_all_that_can_be_shared() -> None:
    made = group(contestants(("a", 2), ("b", 5), ("a", 4), ("a", 5), ("scratch", 0), ("a", 5), ("a", 0)), STAGES, 1, 16)
    assert shown(made) == [
        [("b", 5)],
        [("a", 5), ("a", 5)],
        [("scratch", 0)],
        [("a", 0)],
        [("a", 2), ("a", 4)],
    ]


def test_a_single_source_is_split_so_that_no_slot_is_idle() -> None:
    made = group(contestants(*[("a", 2)] * 8), STAGES, 4, 16)
    assert len(made) >= 4
    assert sum(map(len, made)) == 8


def test_no_heat_is_larger_than_memory_allows() -> None:
    assert max(map(len, group(contestants(*[("a", 5)] * 20), STAGES, 1, 6))) <= 6


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STAGES)), st.integers(0, 5)), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(1, 16),
)
def test_every_trial_is_in_one_heat_of_its_source(points: list[tuple[str, int]], num_slots: int, most: int) -> None:
    due = contestants(*points)
    made = group(due, STAGES, num_slots, most)
    assert sorted(one.number for heat in made for one in heat) == [one.number for one in due]
    assert all(len({one.point.source for one in heat}) == 1 for heat in made)
    assert max(map(len, made)) <= most
    probes = [all(one.point.freeze_depth == 5 for one in heat) for heat in made]
    assert probes == sorted(probes, reverse=True)
