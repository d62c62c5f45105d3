"""What is tried first: with a ranking, and without."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.contest import Point
from translearn.models.sources import Source, scratch
from translearn.proposals import OptunaProposals
from translearn.ranking.first_configurations import first_points
from translearn.ranking.prior import Past, Prior

ARCH = "resnet18"


def study(names: str = "abc", **search: Any) -> StudySpec:
    return parse_spec(
        {
            "name": "made",
            "target": {"data": "sklearn:digits"},
            "sources": [{"name": name, "arch": ARCH, "weights": "DEFAULT"} for name in names],
            "search": {"trials": 40, "lr": [1e-3, 1e-1], **search},
        }
    )


def sources(spec: StudySpec) -> dict[str, Source]:
    found = {one.name: Source(one.name, one.arch, "weights", {}) for one in spec.sources}
    return {**found, "scratch": scratch(ARCH)}


def prior(weights: dict[str, float], depth: int = 3) -> Prior:
    return Prior(weights, dict.fromkeys(weights, depth))


BEST_FIRST = prior({"c": 0.6, "a": 0.3, "b": 0.1})


def short(points: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Source, freeze depth and learning rate, None for what is left to the sampler."""
    lrs = [point.get("lr") and round(point["lr"], 4) for point in points]
    return [(p["source"], p.get("freeze_depth_resnet18"), lr) for p, lr in zip(points, lrs, strict=True)]


def test_with_a_ranking_defaults_come_best_first_then_the_probe_and_the_recommended_depths() -> None:
    spec = study()
    assert short(first_points(spec, sources(spec), BEST_FIRST))[:14] == [
        ("c", 0, 0.01),
        ("a", 0, 0.01),
        ("b", 0, 0.01),
        ("scratch", None, 0.01),
        ("c", 5, 0.03),
        ("scratch", None, 0.03),
        ("scratch", None, 0.0033),
        ("c", 0, 0.03),
        ("c", 0, 0.0033),
        ("c", 0, 0.09),
        ("c", 3, 0.01),
        ("c", 3, 0.03),
        ("a", 3, 0.01),
        ("a", 3, 0.03),
    ]


def test_what_is_left_of_the_first_generation_is_shared_by_weight() -> None:
    spec = study()
    points = first_points(spec, sources(spec), BEST_FIRST)
    drawn = [point["source"] for point in points if set(point) == {"source"}]
    assert len(points) == 20
    assert {name: drawn.count(name) for name in "abc"} == {"c": 3, "a": 1, "b": 0}
    assert [sum(point["source"] == name for point in points) for name in ("a", "b", "scratch")] == [4, 1, 5]


def test_random_trials_are_one_generation_so_all_of_them_are_shared() -> None:
    spec = study(algorithm="random", trials=100)
    drawn = [p["source"] for p in first_points(spec, sources(spec), BEST_FIRST) if set(p) == {"source"}]
    assert {name: drawn.count(name) / len(drawn) for name in "abc"} == pytest.approx(
        {"c": 0.6, "a": 0.3, "b": 0.1}, abs=0.02
    )


def test_of_few_trials_each_source_the_probe_and_scratch_have_theirs_first() -> None:
    spec = study("a", trials=5)
    points = short(first_points(spec, sources(spec), prior({"a": 1.0})))[:5]
    assert [name for name, _, _ in points] == ["a", "scratch", "a", "scratch", "scratch"]
    assert points[2][1] == 5


@pytest.mark.parametrize(
    ("depths", "recommended", "tried"),
    [([0, 2, 5], 4, {0, 2, 5}), ([3, 5], 1, {3, 5}), ([0, 1, 2], 4, {0, 2}), ([5], 2, {5}), (None, 0, {0, 5})],
)
def test_depths_that_the_study_does_not_have_are_not_tried(
    depths: list[int] | None, recommended: int, tried: set[int]
) -> None:
    spec = study("a", freeze_depth=depths)
    points = [p for p in first_points(spec, sources(spec), prior({"a": 1.0}, recommended)) if len(p) == 3]
    assert {point["freeze_depth_resnet18"] for point in points} == tried
    assert all(points.count(point) == 1 for point in points)


def test_the_probe_and_its_rate_keep_to_the_range() -> None:
    spec = study("a", lr=[1e-3, 2e-2])
    points = first_points(spec, sources(spec), prior({"a": 1.0}))
    assert [p["lr"] for p in points if p.get("freeze_depth_resnet18") == 5] == [0.02]


def test_each_architecture_has_its_own_depths() -> None:
    tree = study("ab").model_dump(mode="json")
    tree["sources"][1]["arch"] = "vgg11_bn"
    spec = parse_spec(tree)
    pool = {"a": Source("a", ARCH, "weights", {}), "b": Source("b", "vgg11_bn", "weights", {})}
    pool |= {"scratch-resnet18": scratch(ARCH), "scratch-vgg11_bn": scratch("vgg11_bn")}
    points = first_points(spec, pool, prior({"b": 0.7, "a": 0.3}))
    assert {"source": "b", "lr": 0.03, "freeze_depth_vgg11_bn": 6} in points
    assert sum(point["source"].startswith("scratch") for point in points) == 2 * 10 - 2 * 5  # five rates are in range


def test_the_search_draws_what_is_first_and_its_sampler_fills_in_the_rest() -> None:
    spec = study()
    drawn = OptunaProposals(spec, sources(spec), BEST_FIRST).draw(20)
    given = first_points(spec, sources(spec), BEST_FIRST)
    assert [point.source for point in drawn] == [point["source"] for point in given]
    free = [point for point, known in zip(drawn, given, strict=True) if set(known) == {"source"}]
    assert len({point.lr for point in free}) == len(free)
    assert all(1e-3 <= point.lr <= 1e-1 and 0 <= point.freeze_depth <= 5 for point in free)


def test_a_dropped_source_is_never_drawn() -> None:
    spec = study(trials=60)
    kept = {name: source for name, source in sources(spec).items() if name != "b"}
    proposals = OptunaProposals(spec, kept, prior({"c": 0.5, "a": 0.5}))
    assert {point.source for point in proposals.draw(60)} == {"a", "c", "scratch"}


def test_without_a_ranking_the_search_is_the_plain_one() -> None:
    spec = study()
    points = short(first_points(spec, sources(spec)))
    assert points[:5] == [
        ("a", 0, 0.01),
        ("b", 0, 0.01),
        ("c", 0, 0.01),
        ("scratch", None, 0.01),
        ("scratch", None, 0.03),
    ]
    assert len(points) == 3 + 5


def test_what_past_studies_say_of_rates_takes_the_place_of_the_default_one() -> None:
    spec = study("ab")
    points = short(first_points(spec, sources(spec), past=Past(lr=0.03, scratch_lr=0.003)))
    assert points[:5] == [
        ("a", 0, 0.03),
        ("b", 0, 0.03),
        ("scratch", None, 0.003),
        ("scratch", None, 0.009),
        ("scratch", None, 0.001),
    ]
    assert ("a", 0, 0.01) in points  # in case that it does not hold here
    ranked = short(first_points(spec, sources(spec), prior({"b": 0.6, "a": 0.4}), Past(lr=0.03)))
    assert ranked[:9] == [
        ("b", 0, 0.03),
        ("a", 0, 0.03),
        ("scratch", None, 0.01),
        ("b", 5, 0.09),
        ("scratch", None, 0.03),
        ("scratch", None, 0.0033),
        ("b", 0, 0.01),
        ("b", 0, 0.09),
        ("b", 0, 0.0033),
    ]


def test_nearly_the_same_rate_comes_once() -> None:
    spec = study("a")
    past = Past([Point("a", 0, 0.0101, 1e-4, is_scratch=False)], lr=0.0099)
    points = short(first_points(spec, sources(spec), past=past))
    assert [lr for name, _, lr in points if name == "a"] == [0.0101]


def test_the_first_points_have_the_weight_decay_that_is_nearest_to_the_studys_own() -> None:
    spec = study("a", weight_decay=[0.0, 1.5e-4, 1e-2])
    points = first_points(spec, sources(spec), prior({"a": 1.0}))
    assert {point["weight_decay"] for point in points if "freeze_depth_resnet18" in point} == {1.5e-4}


def test_of_few_trials_past_studies_leave_scratch_its_own() -> None:
    spec = study("abcd", trials=8)
    past = Past(
        [Point("a", 3, 0.02, 1e-4, is_scratch=False), Point("scratch", 0, 0.02, 1e-4, is_scratch=True)], lr=0.03
    )
    drawn = OptunaProposals(spec, sources(spec), past=past).draw(8)
    assert [point.source for point in drawn].count("scratch") == 3


def test_with_a_ranking_the_first_point_is_a_pilot() -> None:
    spec = study()
    assert OptunaProposals(spec, sources(spec), BEST_FIRST).num_pilots == 1
    assert OptunaProposals(spec, sources(spec)).num_pilots == 0
