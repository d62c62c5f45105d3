"""A search over several architectures: scratch comes last, of the architectures of the best trials alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from translearn.cluster.resources import Resources
from translearn.cluster.tuning.results import TrialResult
from translearn.config import StudySpec, parse_spec
from translearn.models.sources import Source, scratch
from translearn.ranking.first_configurations import scratch_trials
from translearn.ranking.prior import Prior
from translearn.storage.folder import Folder
from translearn.study import search
from translearn.study.context import StudyContext

ARCHS = {"a": "resnet18", "b": "mobilenet_v2", "c": "resnet34"}
ERRORS = {"a": 0.3, "b": 0.1, "c": 0.2, "scratch-mobilenet_v2": 0.6, "scratch-resnet34": 0.7, "scratch-resnet18": 0.8}
REST = {"freeze_depth": 0, "lr": 0.01, "weight_decay": 0.0}
RESOURCES = Resources(cpus=1, gpus=0, workers_per_trial=1, concurrent_trials=2)


def study(trials: int = 20, **refit: Any) -> StudySpec:
    sources = [{"name": name, "arch": arch, "weights": "DEFAULT"} for name, arch in ARCHS.items()]
    limits = {"trials": trials, "epochs": 2, "time_budget_s": 100.0}
    return parse_spec({"name": "x", "target": {"data": "d"}, "sources": sources, "search": limits, "refit": refit})


def context(spec: StudySpec, folder: Path) -> StudyContext:
    dataset = SimpleNamespace(manifest=SimpleNamespace(classes=["0", "1"]))
    splits: Any = SimpleNamespace(train=None, val=None, dataset=dataset)
    sources = {name: Source(name, arch, "weights") for name, arch in ARCHS.items()}
    sources |= {name: scratch(arch, name) for arch in spec.archs for name in [spec.scratch_name(arch)]}
    return StudyContext(spec, Folder.open(folder), splits, sources, RESOURCES)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The searches so far; a trial has the error of its source at once."""
    made: list[dict[str, Any]] = []

    def run(
        spec: StudySpec, task: Any, _: Folder, __: Resources, first: Sequence[Mapping[str, Any]], **options: Any
    ) -> list[TrialResult]:
        made.append({"spec": spec, "sources": set(task.sources), "first": first, **options})
        return [
            TrialResult(
                f"{len(made)}-{index}",
                {**REST, **config, "arch": task.sources[config["source"]].arch},
                [{"epoch": 2, "epochs": 2, "val_error": ERRORS[config["source"]], "val_loss": 1.0, "train_loss": 1.0}],
            )
            for index, config in enumerate(first)
        ]

    monkeypatch.setattr(search, "run_search", run)
    monkeypatch.setattr(search, "remember", lambda *_: None)
    return made


def test_scratch_follows_of_the_architectures_of_the_best_trials(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    rows = search.search(context(study(), tmp_path), time_s=50.0)
    others, last = calls
    assert others["sources"] == {"a", "b", "c"}
    assert last["sources"] == {"scratch-mobilenet_v2", "scratch-resnet34"}
    assert (others.get("experiment"), last["experiment"]) == (None, "search-scratch")
    assert [one["spec"].search.trials for one in calls] == [12, 8]
    assert [one["spec"].search.time_budget_s for one in calls] == [60.0, 40.0]
    assert [one["time_s"] for one in calls] == [30.0, 20.0]
    assert len(last["first"]) == 8
    assert {row["source"] for row in rows} == others["sources"] | last["sources"]
    search.search(context(study(), tmp_path))
    assert len(calls) == 2  # what is done is not done again


def test_one_candidate_has_one_baseline(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    search.search(context(study(candidates=1), tmp_path))
    assert calls[1]["sources"] == {"scratch-mobilenet_v2"}
    assert [one["spec"].search.trials for one in calls] == [15, 5]


def test_a_ranking_that_leaves_one_architecture_leaves_one_search(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    search.search(context(study(), tmp_path), Prior({"b": 1.0}, {"b": 0}))
    assert [one["sources"] for one in calls] == [{"b", "scratch-mobilenet_v2"}]


def test_a_searcher_of_ones_own_is_of_the_sources_alone(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    searcher, scheduler = object(), ["a scheduler"]
    search.search(context(study(), tmp_path), search_alg=searcher, scheduler=scheduler)
    assert [(one.get("search_alg"), one["scheduler"]) for one in calls] == [(searcher, scheduler), (None, scheduler)]
    assert calls[0]["scheduler"] is not calls[1]["scheduler"]  # Tune sets each up once


@pytest.mark.parametrize(
    ("trials", "num_sources", "num_archs", "expected"),
    [(32, 1, 1, 16), (32, 2, 1, 10), (20, 4, 1, 4), (20, 3, 3, 8), (40, 20, 20, 6), (22, 20, 20, 2), (4, 3, 1, 1)],
)
def test_scratch_has_as_many_trials_as_a_source_at_least_three_where_there_is_room(
    trials: int, num_sources: int, num_archs: int, expected: int
) -> None:
    spec = study(trials=max(trials, 5))
    spec = spec.model_copy(update={"search": spec.search.model_copy(update={"trials": trials})})
    assert scratch_trials(spec, num_sources, num_archs) == expected
