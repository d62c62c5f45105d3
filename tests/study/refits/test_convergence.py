"""Scratch with more steps: which lengths are tried, when it ends, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.models.model_info import MARKER
from translearn.storage.folder import Folder
from translearn.study.refits import convergence, refit
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.convergence import converged, convergence_of, lengths, refit_longer

ROW = {"source": "scratch", "arch": "resnet18", "freeze_depth": 0, "lr": 0.01, "weight_decay": 0.0, "val_error": 0.4}
FOUND = [
    Candidate("transfer-0", ("transfer",), {**ROW, "source": "a"}),
    Candidate("scratch-0", ("scratch",), ROW),
    Candidate("scratch-1", ("scratch",), ROW),
]


def study(cap: int) -> StudySpec:
    tree = {"name": "x", "target": {"data": "d"}, "sources": [{"name": "a", "arch": "resnet18", "weights": "w"}]}
    return parse_spec({**tree, "refit": {"seeds": 2, "epochs": 10, "baseline_cap": cap}, "train": {"batch_size": 50}})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Refits whose validation errors are given by candidate, where a missing one diverged; which ones were trained."""

    class World:
        folder, trained = Folder.open(tmp_path).make(), list[str]()
        errors: dict[str, list[float]] = {}  # noqa: RUF012

        def train(self, *given: Any) -> None:
            for one in given[1]:
                self.trained.append(one.name)
                for index in range(2 if one.name in self.errors else 0):
                    (self.folder / "refit" / f"{one.name}-{index}").write_json(MARKER, {})

    made = World()

    def run_error(_: Folder, run: str) -> float:
        name, _, index = run.rpartition("-")
        return made.errors[name][int(index)]

    monkeypatch.setattr(refit, "run_error", run_error)
    monkeypatch.setattr(convergence, "refit", made.train)
    return made


def found(world: Any, cap: int, **errors: list[float]) -> dict[str, Any] | None:
    world.errors = {"transfer-0": [0.2, 0.2], "scratch-1": [0.6, 0.6]}
    world.errors |= {f"scratch-{name[1:].replace('_', '-')}": value for name, value in errors.items()}
    refit_longer(SimpleNamespace(spec=study(cap), folder=world.folder), FOUND, None)  # type: ignore[arg-type]
    return convergence_of(study(cap), world.folder, FOUND[1], num_train=200)


@pytest.mark.parametrize(
    ("cap", "times"), [(1, []), (2, [2]), (3, [3]), (4, [2, 4]), (5, [2, 5]), (7, [2, 7]), (8, [2, 4, 8])]
)
def test_lengths_are_doubled_and_end_at_the_cap(cap: int, times: list[int]) -> None:
    assert lengths(cap) == times


def test_it_ends_when_more_steps_lower_the_validation_error_no_more(world: Any) -> None:
    figures = found(world, 8, s0=[0.5, 0.5], s0_x2=[0.4, 0.5], s0_x4=[0.4, 0.5], s0_x8=[0.0, 0.0])
    assert world.trained == ["scratch-0-x2", "scratch-0-x4"]
    assert figures is not None
    assert (figures["times_the_steps"], figures["steps"], figures["is_at_cap"]) == (2, 2 * 10 * 4, False)
    assert [(row["times_the_steps"], row["validation_error"]) for row in figures["lengths"]] == [
        (1, 0.5),
        (2, pytest.approx(0.45)),
        (4, pytest.approx(0.45)),
    ]


def test_at_the_cap_it_says_so(world: Any) -> None:
    figures = found(world, 5, s0=[0.5, 0.5], s0_x2=[0.4, 0.4], s0_x5=[0.3, 0.3])
    assert figures is not None
    assert (figures["times_the_steps"], figures["cap"], figures["is_at_cap"]) == (5, 5, True)


def test_a_length_that_diverges_is_the_last_one(world: Any) -> None:
    figures = found(world, 4, s0=[0.5, 0.5], s0_x4=[0.1, 0.1])
    assert world.trained == ["scratch-0-x2"]
    assert figures is not None
    assert figures["times_the_steps"] == 1


def test_a_cap_of_one_switches_it_off(world: Any) -> None:
    assert found(world, 1, s0=[0.5, 0.5]) is None
    assert world.trained == []
    assert converged(study(1), world.folder, FOUND[1]) is FOUND[1]
