"""The search space, and what the searcher suggests from it, without a Ray."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.cluster.tuning.searchers import StudySearch, study_search
from translearn.cluster.tuning.space import SearchSpace, search_space
from translearn.config import StudySpec, parse_spec
from translearn.models.sources import Source, scratch

SOURCES = {
    "big": Source("big", "resnet50", "checkpoint"),
    "small": Source("small", "mobilenet_v2", "checkpoint"),
    "scratch-resnet50": scratch("resnet50", "scratch-resnet50"),
}


def spec(**search: Any) -> StudySpec:
    sources = [{"name": name, "arch": SOURCES[name].arch, "checkpoint": "x.pt"} for name in ("big", "small")]
    return parse_spec(
        {"name": "s", "target": {"data": "x"}, "sources": sources, "search": {"lr": [1e-3, 1e-1], **search}}
    )


def searcher(first: list[dict[str, Any]] | None = None, **search: Any) -> tuple[StudySearch, SearchSpace]:
    space = search_space(spec(**search), SOURCES)
    return study_search(spec(**search), space, first or []), space


def suggestions(num: int, **search: Any) -> list[dict[str, Any]]:
    one, _ = searcher(**search)
    return [one.suggest(str(index)) or {} for index in range(num)]


@pytest.mark.parametrize("sampler", ["random", "optuna"])
def test_suggestions_lie_in_the_conditional_space(sampler):
    for config in suggestions(40, sampler=sampler, weight_decay=[0.0, 1e-3]):
        assert list(config) == ["source", "arch", "freeze_depth", "lr", "weight_decay"]
        assert config["arch"] == SOURCES[config["source"]].arch
        assert config["freeze_depth"] in ((0,) if "scratch" in config["source"] else range(6))
        assert 1e-3 <= config["lr"] <= 1e-1
        assert config["weight_decay"] in (0.0, 1e-3)


def test_a_searcher_repeats_itself():
    assert suggestions(10, sampler="random") == suggestions(10, sampler="random")
    assert suggestions(10) == suggestions(10)


def test_first_configurations_come_first_to_the_bit_and_gaps_are_filled():
    first = [{"source": "big", "freeze_depth": 3, "lr": 0.0123456789}, {"source": "small"}]
    one, _ = searcher(first)
    given_config, filled = one.suggest("0"), one.suggest("1")
    assert given_config == {
        "source": "big",
        "arch": "resnet50",
        "freeze_depth": 3,
        "lr": 0.0123456789,
        "weight_decay": 1e-4,
    }
    assert filled
    assert filled["source"] == "small"


def test_trials_that_were_stopped_or_failed_do_not_count_as_ended():
    one, _ = searcher()
    rows = {"stopped": (0.1, 1, 3), "done": (0.2, 3, 3), "failed": None}
    for name, row in rows.items():
        one.suggest(name)
        result = row and {"val_error": row[0], "epoch": row[1], "epochs": row[2], "training_iteration": row[1]}
        if result:
            one.on_trial_result(name, result)
        one.on_trial_complete(name, result or None, error=row is None)
    states = [trial.state.name for trial in one._ot_study.trials]
    assert states == ["PRUNED", "COMPLETE", "FAIL"]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(SOURCES)), st.integers(0, 9), st.floats(1e-6, 1.0))
def test_a_config_of_any_searcher_is_settled_once(source, depth, lr):
    space = search_space(spec(freeze_depth=[0, 2, 5]), SOURCES)
    config = space.settled({"source": source, "freeze_depth": depth, "lr": lr})
    assert config["freeze_depth"] in ({0} if "scratch" in source else {0, 2, 5})
    assert config["freeze_depth"] <= depth
    assert space.settled(config) == config


def test_the_plain_space_has_every_value():
    plain = search_space(spec(freeze_depth=[0, 2]), SOURCES).param_space()
    assert set(plain) == {"source", "freeze_depth", "lr", "weight_decay"}
    assert plain["freeze_depth"].categories == [0, 2]
