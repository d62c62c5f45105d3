"""Searching on a real Ray: the same results however trials are run, diverging trials, lost workers, interruptions."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import ray
import torch
from conftest import small_study
from ray.util.state import list_actors

from translearn.cluster.data.shared import Task
from translearn.cluster.heat import recipe
from translearn.cluster.resources import Resources
from translearn.cluster.search import Outcome, run_search
from translearn.config import StudySpec
from translearn.contest import Contestant, Fate, Point
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.models.sources import Source, initial_network, scratch
from translearn.models.weights import fingerprint
from translearn.storage.folder import Folder
from translearn.training.loop import fine_tune

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

RATES = {"search__lr": [1e-4, 1e-2], "train__batch_size": 10, "cluster__checkpoint_interval_s": 0.0}


class Listed:
    """Points as they are listed, all in one generation."""

    num_pilots = 0

    def __init__(self, *points: tuple[str, int, float]) -> None:
        self.points = points

    def draw(self, num: int) -> list[Point]:
        return [Point(source, depth, lr, 1e-4, source == "scratch") for source, depth, lr in self.points[:num]]

    def tell(self, fates: Sequence[Fate]) -> None:
        assert len(fates) == len(self.points)


GRID = Listed(("scratch", 0, 1e-3), *[("a", depth, lr) for depth in (1, 4, 5) for lr in (1e-3, 1e-2)])


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


@pytest.fixture(scope="module")
def task() -> Task:
    state = {name: tensor.clone() for name, tensor in build("resnet18", 2, 1).state_dict().items()}
    source = Source("a", "resnet18", "checkpoint", state, fingerprint=fingerprint(state))
    return Task(images(21, 0), images(9, 1), 2, {"a": source, "scratch": scratch("resnet18")})


def layout(workers_per_trial: int = 1, lanes: int = 2) -> Resources:
    return Resources(1, 0, workers_per_trial, lanes, 1, 2, 0)


def search(task: Task, folder: Any, points: Listed, **changes: Any) -> list[Outcome]:
    spec = study(folder, points, **changes)
    return run_search(spec, task, Folder.open(folder), layout(), proposals=points)


def study(folder: Any, points: Listed, **changes: Any) -> StudySpec:
    algorithm = {"search__algorithm": "random", "search__trials": len(points.points)}
    return small_study(folder, **{**algorithm, **RATES, **changes})


def plainly(spec: StudySpec, task: Task, outcome: Outcome) -> tuple[list[tuple[float, ...]], str]:
    """The trial as it is without Ray, sharing, stored boundaries and rungs; and its weights' hash."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    network, _ = initial_network(task.sources[outcome.point.source], task.num_classes, spec.seed)
    results = []
    for result in fine_tune(network, task.train, task.val, recipe(spec, Contestant(1, outcome.point))):
        results.append((result.epoch, result.train_loss, result.val_loss, result.val_error))
    torch.set_num_threads(before)
    return results, fingerprint(result.state()["model"])


def figures(outcome: Outcome) -> list[tuple[float, ...]]:
    return [(row["epoch"], row["train_loss"], row["val_loss"], row["val_error"]) for row in outcome.curve]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"search__mode": "exhaustive", "train__augment": "none", "search__epochs": 4}, marks=pytest.mark.slow
        ),
        pytest.param({"search__mode": "exhaustive", "search__views": 2, "search__epochs": 4}, marks=pytest.mark.slow),
        {"search__mode": "race", "search__epochs": 6},
    ],
)
def test_every_trial_gives_the_bits_of_the_plain_one(ray_session, task, tmp_path, changes, monkeypatch):
    spec = study(tmp_path, GRID, **changes)
    races = spec.search.mode == "race"
    monkeypatch.setattr(Listed, "num_pilots", int(races))  # scratch, which is alone in its race, so it ends either way
    outcomes = search(task, tmp_path, GRID, **changes)
    lengths = [len(outcome.curve) for outcome in outcomes]
    # Rungs at 1, 2 and 6: of six trials two go on, then one; scratch is alone in its race.
    assert lengths.count(spec.search.epochs) == (2 if races else 7)
    for outcome in outcomes:
        curve, weights = plainly(spec, task, outcome)
        assert figures(outcome) == curve[: len(outcome.curve)]
        if len(outcome.curve) == spec.search.epochs:
            assert outcome.curve[-1]["weights"] == weights
    assert [outcome.is_replayed for outcome in outcomes].count(True) == int(races)
    assert max(row["fused"] for outcome in outcomes for row in outcome.curve) > 1


@pytest.mark.slow
def test_stored_boundaries_are_read_and_told_of(ray_session, task, tmp_path):
    larger = Task(images(400, 0), images(50, 1), 2, task.sources)
    points = Listed(("a", 5, 1e-3), ("a", 5, 1e-2))
    changes = {"search__mode": "exhaustive", "train__augment": "none", "search__epochs": 8}
    kept = search(larger, tmp_path / "kept", points, **changes)
    computed = search(larger, tmp_path / "computed", points, **changes, search__boundaries="compute")
    assert [figures(one) for one in kept] == [figures(one) for one in computed]
    # The first epoch also pays for making them.
    assert min(row["cached_s"] for outcome in kept for row in outcome.curve[1:]) > 0
    assert max(row["cached_s"] for outcome in computed for row in outcome.curve) == 0


def test_diverging_trials_end_with_their_reason_and_the_search_goes_on(ray_session, task, tmp_path):
    points = Listed(("scratch", 0, 1e11), ("a", 1, 1e-3), ("a", 1, 1e12))
    outcomes = search(task, tmp_path, points, search__lr=[1e-3, 1e12])
    assert [bool(outcome.reason) for outcome in outcomes] == [True, False, True]
    assert {outcome.curve[-1]["val_error"] for outcome in outcomes if outcome.reason} == {1.0}
    for outcome in (outcomes[0], outcomes[2]):
        assert re.fullmatch(
            r"(train|val)_loss is (nan|inf) in epoch 1 at lr 1e\+1\d, freeze depth [01]\. "
            r"A lower learning rate or train\.clip_norm helps\.",
            outcome.reason,
        )


@pytest.mark.slow  # the short drill kills a lane too
@pytest.mark.parametrize(("workers", "actor"), [(1, "Trainable"), (2, "RayTrainWorker")])
def test_a_worker_that_is_killed_costs_nothing(ray_session, task, tmp_path, workers, actor):
    killed: list[int] = []
    lanes = 2 // workers

    def kill_once(row: dict[str, Any], point: Point) -> None:
        if row["epoch"] == 2 and not killed:
            address = ray.get_runtime_context().gcs_address
            actors = list_actors(address, filters=[("state", "=", "ALIVE")])
            killed.extend(one.pid for one in actors if actor in (one.class_name or ""))
            os.kill(killed[0], signal.SIGKILL)

    points = Listed(("a", 3, 1e-3), ("scratch", 0, 1e-3))
    changes = {"search__mode": "exhaustive", "search__epochs": 5, "cluster__workers_per_trial": workers}
    spec = study(tmp_path, points, **changes)
    outcomes = run_search(spec, task, Folder.open(tmp_path), layout(workers, lanes), kill_once, points)
    assert killed
    if workers == 1:
        expected = [plainly(spec, task, outcome) for outcome in outcomes]
    else:  # as the same search gives them undisturbed: sums over workers round otherwise than one worker's
        undisturbed = Folder.open(tmp_path / "undisturbed")
        others = run_search(spec, task, undisturbed, layout(workers, lanes), proposals=points)
        expected = [(figures(other), other.curve[-1]["weights"]) for other in others]
    assert [(figures(outcome), outcome.curve[-1]["weights"]) for outcome in outcomes] == expected


@pytest.mark.slow  # the drill's short set kills a driver too
def test_an_interrupted_search_goes_on_with_what_is_missing(ray_session, task, tmp_path):
    points = Listed(("a", 3, 1e-3), ("a", 5, 1e-3), ("scratch", 0, 1e-3))
    changes = {"search__epochs": 3, "search__mode": "exhaustive"}
    spec = study(tmp_path, points, **changes)

    class InterruptError(Exception):
        pass

    def interrupt(row: dict[str, Any], point: Point) -> None:
        if len(Folder.open(tmp_path / "heats").names()) == 1:
            raise InterruptError

    with pytest.raises(Exception, match="InterruptError"):
        run_search(spec, task, Folder.open(tmp_path), layout(lanes=1), interrupt, points)
    seen: list[str] = []
    outcomes = run_search(
        spec, task, Folder.open(tmp_path), layout(lanes=1), lambda row, point: seen.append(row["run"]), points
    )
    assert len(set(seen)) == 2  # the heat that had ended is not run again
    for outcome in outcomes:
        assert figures(outcome) == plainly(spec, task, outcome)[0]


@pytest.mark.timeout(150)
def test_a_search_that_was_interrupted_here_gives_its_cpus_to_the_next_one(ray_session, task, tmp_path):
    points = Listed(("a", 5, 1e-3), ("scratch", 0, 1e-3))
    spec = study(tmp_path, points, search__epochs=2, search__mode="exhaustive")

    def interrupt(row: dict[str, Any], point: Point) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(spec, task, Folder.open(tmp_path), layout(), interrupt, points)
    assert len(run_search(spec, task, Folder.open(tmp_path), layout(), proposals=points)) == 2


@pytest.mark.slow
def test_two_workers_a_trial_give_the_curve_of_one(ray_session, task, tmp_path):
    # A small rate: BatchNorm over a few examples amplifies rounding, and nothing else may differ.
    points = Listed(("a", 0, 1e-4), ("a", 4, 1e-4), ("a", 5, 1e-4))
    changes = {"search__epochs": 2, "search__mode": "exhaustive"}
    curves = {}
    for workers in (1, 2):
        folder = Folder.open(tmp_path / str(workers))
        spec = study(folder.path, points, **changes, cluster__workers_per_trial=workers)
        outcomes = run_search(spec, task, folder, layout(workers, lanes=1), proposals=points)
        assert [outcome.reason for outcome in outcomes] == [None] * 3
        curves[workers] = [figures(outcome) for outcome in outcomes]
    np.testing.assert_allclose(curves[1], curves[2], rtol=1e-4)
