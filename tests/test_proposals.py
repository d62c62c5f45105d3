"""Proposals: what is tried first, what a seed decides, and that the sampler hears what became of its points."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from translearn.config import StudySpec, parse_spec
from translearn.contest import Fate, Point
from translearn.models.sources import Source, scratch
from translearn.proposals import OptunaProposals
from translearn.ranking.prior import Past

States = optuna.trial.TrialState


def study(archs: tuple[str, ...] = ("resnet18", "resnet18"), **search: Any) -> StudySpec:
    tree: dict[str, Any] = {
        "name": "made",
        "target": {"data": "sklearn:digits"},
        "sources": [
            {"name": name, "arch": arch, "weights": "DEFAULT"} for name, arch in zip("ab", archs, strict=False)
        ],
        "search": {"trials": 12, **search},
    }
    return parse_spec(tree)


def sources(spec: StudySpec) -> dict[str, Source]:
    """Those of the study, scratch of each architecture among them; nobody here looks at tensors."""
    found = {one.name: Source(one.name, one.arch, "weights", {}) for one in spec.sources}
    return {**found, **{spec.scratch_name(arch): scratch(arch) for arch in spec.archs}}


def proposals(spec: StudySpec) -> OptunaProposals:
    return OptunaProposals(spec, sources(spec))


def rates_by_source(points: list[Point]) -> dict[str, list[float]]:
    return {name: [point.lr for point in points if point.source == name] for name in {p.source for p in points}}


def test_first_every_source_by_default_then_scratch_at_rates_around_the_default_one() -> None:
    spec = study(lr=[1e-3, 1e-1], freeze_depth=[1, 3])
    points = proposals(spec).draw(6)
    assert [(p.source, p.freeze_depth) for p in points] == [("a", 1), ("b", 1), *[("scratch", 0)] * 4]
    assert [p.lr for p in points] == pytest.approx([0.01, 0.01, 0.01, 0.03, 0.01 / 3, 0.09])
    assert [p.is_scratch for p in points] == [False, False, *[True] * 4]
    assert {p.weight_decay for p in points} == {spec.train.weight_decay}


@pytest.mark.parametrize(("trials", "share"), [(6, 3), (12, 4), (30, 7)])
def test_scratch_has_as_many_trials_as_there_are_for_each_source_within_the_range(trials: int, share: int) -> None:
    spec = study(trials=trials, lr=[1e-4, 1e-1])
    rates = rates_by_source(proposals(spec).draw(2 + share))
    # Of rates a factor of three apart, seven lie within the range: 30 trials would give scratch ten.
    assert {name: len(found) for name, found in rates.items()} == {"a": 1, "b": 1, "scratch": share}
    assert all(1e-4 <= rate <= 1e-1 for rate in rates["scratch"])


def test_each_architecture_has_its_own_scratch_and_its_own_depths() -> None:
    spec = study(archs=("resnet18", "vgg11_bn"), trials=150, algorithm="random")
    points = proposals(spec).draw(150)
    assert [p.source for p in points[:4]] == ["a", "b", "scratch-resnet18", "scratch-vgg11_bn"]
    deepest = {name: max(p.freeze_depth for p in points if p.source == name) for name in ("a", "b")}
    assert deepest == {"a": 5, "b": 6}
    assert {p.freeze_depth for p in points if p.is_scratch} == {0}


def told(points: list[Point]) -> list[Fate]:
    return [Fate([0.9, abs(point.lr - 0.05)], is_done=True) for point in points]


def two_generations(spec: StudySpec, fates: Any = told) -> tuple[list[Point], list[Point]]:
    found = proposals(spec)
    first = found.draw(10)
    found.tell(fates(first))
    return first, found.draw(6)


@pytest.mark.parametrize("algorithm", ["optuna", "random"])
def test_a_seed_gives_the_same_points_and_another_one_others(algorithm: str) -> None:
    spec = study(algorithm=algorithm, trials=16)
    assert two_generations(spec) == two_generations(spec)
    other = spec.model_copy(update={"seed": 1})
    assert two_generations(spec)[0] != two_generations(other)[0]


def test_what_was_told_decides_what_is_drawn_next_but_not_where_points_are_random() -> None:
    def reversed_fates(points: list[Point]) -> list[Fate]:
        return told(points)[::-1]

    learning, random = study(trials=16), study(algorithm="random", trials=16)
    assert two_generations(learning)[0] == two_generations(learning, reversed_fates)[0]
    assert two_generations(learning)[1] != two_generations(learning, reversed_fates)[1]
    assert two_generations(random) == two_generations(random, reversed_fates)


def test_a_done_a_stopped_and_a_diverged_trial_are_told_as_what_they_are() -> None:
    found = proposals(study())
    points = found.draw(3)
    found.tell([Fate([0.5, 0.25], is_done=True), Fate([0.75], is_done=False), Fate([], is_done=True)])
    trials = found._study.trials
    assert [trial.state for trial in trials[:3]] == [States.COMPLETE, States.PRUNED, States.FAIL]
    assert [trial.intermediate_values for trial in trials[:3]] == [{1: 0.5, 2: 0.25}, {1: 0.75}, {}]
    # Optuna counts a pruned trial's last error as its value.
    assert [trial.value for trial in trials[:3]] == [0.25, 0.75, None]
    assert [trial.params["lr"] for trial in trials[:3]] == [point.lr for point in points]


def test_every_weight_decay_of_the_list_is_tried_and_no_other() -> None:
    points = proposals(study(weight_decay=[0.0, 1e-4, 1e-2], trials=40)).draw(40)
    assert {point.weight_decay for point in points} == {0.0, 1e-4, 1e-2}


def test_the_best_of_past_studies_comes_first_and_the_rest_follows_the_default_configurations() -> None:
    spec = study(weight_decay=[0.0, 1e-4])
    past = [
        Point("scratch", 0, 0.05, 0.0, is_scratch=True),
        Point("b", 3, 0.02, 1e-4, is_scratch=False),
        Point("a", 1, 0.03, 0.0, is_scratch=False),
    ]
    found = OptunaProposals(spec, sources(spec), past=Past(past))
    assert found.num_pilots == 1
    points = found.draw(8)
    assert points[0] == past[1]
    assert [point.source for point in points[1:4]] == ["a", "b", "scratch"]
    assert [point.source for point in points[4:6]] == ["scratch", "scratch"]  # its share
    assert points[6:] == [past[0], past[2]]
    assert OptunaProposals(spec, sources(spec), past=Past(past[:1])).num_pilots == 0
