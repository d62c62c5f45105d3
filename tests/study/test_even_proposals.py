"""A search of its own for each source: equal shares, however many are drawn, and no source hears of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from history_cases import sources, study

from translearn.contest import Fate, Point
from translearn.proposals import OptunaProposals
from translearn.study.even_proposals import EvenProposals


def fates(points: Sequence[Point], favourite: str = "a") -> list[Fate]:
    return [Fate([0.1 if point.source == favourite else point.lr], is_done=True) for point in points]


@pytest.mark.parametrize("sizes", [(6, 6), (4, 5, 3), (1,) * 12, (12,)])
def test_every_source_has_its_share_however_they_are_drawn(sizes: tuple[int, ...]) -> None:
    found, counts = EvenProposals(study(trials=12), sources()), Counter[str]()
    for size in sizes:
        points = found.draw(size)
        assert len(points) == size
        found.tell(fates(points))
        counts.update(point.source for point in points)
    assert counts == {"a": 4, "b": 4, "scratch": 4}


def test_each_source_has_the_points_of_a_search_of_its_own() -> None:
    spec = study(trials=12)
    found, alone = EvenProposals(spec, sources()), OptunaProposals(spec, {"b": sources()["b"]})
    for _ in range(2):
        points, expected = found.draw(6), alone.draw(2)
        assert [point for point in points if point.source == "b"] == expected
        found.tell(fates(points))
        alone.tell(fates(expected))


def test_the_default_configuration_of_each_comes_first() -> None:
    points = EvenProposals(study(trials=12), sources()).draw(3)
    assert [(point.source, point.freeze_depth, point.lr) for point in points] == [
        ("a", 0, 0.01),
        ("b", 0, 0.01),
        ("scratch", 0, 0.01),
    ]
