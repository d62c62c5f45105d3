"""What is tried first: with a ranking, and without."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.models.sources import Source, scratch
from translearn.ranking.first_configurations import first_configurations, sources_in_turn
from translearn.ranking.prior import Past, Prior, TrialConfig

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


def short(configs: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Source, freeze depth and learning rate, None for what is left to the sampler."""
    lrs = [config.get("lr") and round(config["lr"], 4) for config in configs]
    return [(p["source"], p.get("freeze_depth"), lr) for p, lr in zip(configs, lrs, strict=True)]


def test_with_a_ranking_defaults_come_best_first_then_the_probe_the_recommended_depths_and_other_rates() -> None:
    spec = study()
    assert short(first_configurations(spec, sources(spec), BEST_FIRST))[:14] == [
        ("c", 0, 0.01),
        ("a", 0, 0.01),
        ("b", 0, 0.01),
        ("scratch", None, 0.01),
        ("c", 5, 0.03),
        ("scratch", None, 0.03),
        ("scratch", None, 0.0033),
        ("c", 3, 0.01),
        ("a", 3, 0.01),
        ("c", 0, 0.03),
        ("c", 0, 0.0033),
        ("c", 0, 0.09),
        ("c", 3, 0.03),
        ("a", 3, 0.03),
    ]


def test_what_is_left_of_the_first_half_is_shared_by_weight() -> None:
    spec = study()
    configs = first_configurations(spec, sources(spec), BEST_FIRST)
    drawn = [config["source"] for config in configs if set(config) == {"source"}]
    assert len(configs) == 20
    assert {name: drawn.count(name) for name in "abc"} == {"c": 3, "a": 1, "b": 0}
    assert [sum(config["source"] == name for config in configs) for name in ("a", "b", "scratch")] == [4, 1, 5]


def test_of_random_trials_all_are_shared() -> None:
    spec = study(sampler="random", trials=100)
    drawn = [p["source"] for p in first_configurations(spec, sources(spec), BEST_FIRST) if set(p) == {"source"}]
    assert {name: drawn.count(name) / len(drawn) for name in "abc"} == pytest.approx(
        {"c": 0.6, "a": 0.3, "b": 0.1}, abs=0.02
    )


def test_of_few_trials_each_source_the_probe_and_scratch_have_theirs_first() -> None:
    spec = study("a", trials=5)
    configs = short(first_configurations(spec, sources(spec), prior({"a": 1.0})))[:5]
    assert [name for name, _, _ in configs] == ["a", "scratch", "a", "scratch", "scratch"]
    assert configs[2][1] == 5


@pytest.mark.parametrize(
    ("depths", "recommended", "tried"),
    [([0, 2, 5], 4, {0, 2, 5}), ([3, 5], 1, {3, 5}), ([0, 1, 2], 4, {0, 2}), ([5], 2, {5}), (None, 0, {0, 5})],
)
def test_depths_that_the_study_does_not_have_are_not_tried(
    depths: list[int] | None, recommended: int, tried: set[int]
) -> None:
    spec = study("a", freeze_depth=depths)
    configs = [p for p in first_configurations(spec, sources(spec), prior({"a": 1.0}, recommended)) if len(p) == 3]
    assert {config["freeze_depth"] for config in configs} == tried
    assert all(configs.count(config) == 1 for config in configs)


def test_the_probe_and_its_rate_keep_to_the_range() -> None:
    spec = study("a", lr=[1e-3, 2e-2])
    configs = first_configurations(spec, sources(spec), prior({"a": 1.0}))
    assert [p["lr"] for p in configs if p.get("freeze_depth") == 5] == [0.02]


def test_each_architecture_has_its_own_depths() -> None:
    tree = study("ab").model_dump(mode="json")
    tree["sources"][1]["arch"] = "vgg11_bn"
    spec = parse_spec(tree)
    pool = {"a": Source("a", ARCH, "weights", {}), "b": Source("b", "vgg11_bn", "weights", {})}
    pool |= {"scratch-resnet18": scratch(ARCH), "scratch-vgg11_bn": scratch("vgg11_bn")}
    configs = first_configurations(spec, pool, prior({"b": 0.7, "a": 0.3}))
    assert {"source": "b", "lr": 0.03, "freeze_depth": 6} in configs
    assert (
        sum(config["source"].startswith("scratch") for config in configs) == 2 * 10 - 2 * 5
    )  # five rates are in range


def test_without_a_ranking_the_search_is_the_plain_one() -> None:
    spec = study()
    configs = short(first_configurations(spec, sources(spec)))
    assert configs[:5] == [
        ("a", 0, 0.01),
        ("b", 0, 0.01),
        ("c", 0, 0.01),
        ("scratch", None, 0.01),
        ("scratch", None, 0.03),
    ]
    assert len(configs) == 3 + 5


def test_what_past_studies_say_of_rates_takes_the_place_of_the_default_one() -> None:
    spec = study("ab")
    configs = short(first_configurations(spec, sources(spec), past=Past(lr=0.03, scratch_lr=0.003)))
    assert configs[:5] == [
        ("a", 0, 0.03),
        ("b", 0, 0.03),
        ("scratch", None, 0.003),
        ("scratch", None, 0.009),
        ("scratch", None, 0.001),
    ]
    assert ("a", 0, 0.01) in configs  # in case that it does not hold here
    ranked = short(first_configurations(spec, sources(spec), prior({"b": 0.6, "a": 0.4}), Past(lr=0.03)))
    assert ranked[:9] == [
        ("b", 0, 0.03),
        ("a", 0, 0.03),
        ("scratch", None, 0.01),
        ("b", 5, 0.09),
        ("scratch", None, 0.03),
        ("scratch", None, 0.0033),
        ("b", 3, 0.03),
        ("b", 0, 0.01),
        ("b", 0, 0.09),
    ]


def test_nearly_the_same_rate_comes_once() -> None:
    spec = study("a")
    past = Past([TrialConfig("a", 0, 0.0101, 1e-4)], lr=0.0099)
    configs = short(first_configurations(spec, sources(spec), past=past))
    assert [lr for name, _, lr in configs if name == "a"] == [0.0101]


def test_the_first_configs_have_the_weight_decay_that_is_nearest_to_the_studys_own() -> None:
    spec = study("a", weight_decay=[0.0, 1.5e-4, 1e-2])
    configs = first_configurations(spec, sources(spec), prior({"a": 1.0}))
    assert {config["weight_decay"] for config in configs if "freeze_depth" in config} == {1.5e-4}


def test_of_few_trials_past_studies_leave_scratch_its_own() -> None:
    spec = study("abcd", trials=8)
    past = Past([TrialConfig("a", 3, 0.02, 1e-4), TrialConfig("scratch", 0, 0.02, 1e-4)], lr=0.03)
    found = first_configurations(spec, sources(spec), past=past)
    assert len(found) == 8
    assert [config["source"] for config in found].count("scratch") == 3


def test_where_no_source_is_preferred_each_has_as_many_trials() -> None:
    spec = study("ab", trials=8)
    found = sources_in_turn(spec, sources(spec))
    assert short(found)[:3] == [("a", 0, 0.01), ("b", 0, 0.01), ("scratch", None, 0.01)]
    assert [config["source"] for config in found] == ["a", "b", "scratch"] * 2 + ["a", "b"]
    assert all(set(config) == {"source"} for config in found[3:])
