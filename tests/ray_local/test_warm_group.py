"""A warm group on a real Ray: its workers stay, are replaced when they die, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ray import tune
from ray.util.placement_group import placement_group_table
from ray.util.state import list_actors

from translearn.cluster.resources import Resources
from translearn.cluster.warm_group import WarmGroup
from translearn.errors import WorkersLostError
from translearn.storage.folder import Folder
from translearn.training.distributed import Team

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

PAIR = Resources(1, 0, 2, 1, 1, 2, 0)
NUM_ROWS = 4
#: One for all runs on this Ray, and its own affair.
OF_RAY = {"_AutoscalingCoordinatorActor", "AutoscalingRequester", "_StatsActor"}  # Ray Data's, there until its end


def count(order: dict[str, Any], team: Team) -> Iterator[dict[str, Any]]:
    """Rows that only both workers together can give: the sum of their numbers, and the pids of both."""
    for index in range(NUM_ROWS):
        if index == 2:
            misfortune(order, team)
        pids = torch.zeros(team.num_workers, dtype=torch.int64)
        pids[team.rank] = os.getpid()
        yield {"order": order["name"], "index": index, "pids": team.sum(pids).tolist(), "threads": threads()}


def threads() -> int:
    return torch.get_num_threads()


def misfortune(order: dict[str, Any], team: Team) -> None:
    """Kills a worker, once, or raises: what the order says."""
    if order.get("killed_rank") == team.rank and not Path(order["once"]).exists():
        Path(order["once"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if order.get("always_killed_rank") == team.rank:
        os.kill(os.getpid(), signal.SIGKILL)
    if team.rank in order.get("failed_ranks", ()):
        raise ValueError(f"order {order['name']} is bad")


def served(group: WarmGroup, name: str, **order: Any) -> list[dict[str, Any]]:
    return list(group.serve({"name": name, **order}))


def indices(rows: list[dict[str, Any]]) -> list[int]:
    return [row["index"] for row in rows]


def pids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(pid) for pid in rows[-1]["pids"]]


def eventually(holds: Callable[[], bool], timeout_s: float = 30) -> bool:
    """Whether something becomes so; Ray's own books follow a little later."""
    end = time.monotonic() + timeout_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


def is_free() -> bool:
    """Whether all CPUs are free, and there are no actors and no placement groups."""
    free = ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"]
    states = {group["state"] for group in placement_group_table().values()}
    here = ray.get_runtime_context().gcs_address
    alive = list_actors(here, filters=[("state", "!=", "DEAD")], limit=1000)
    return free and states <= {"REMOVED"} and {actor.class_name for actor in alive} <= OF_RAY


def nothing_left(folder: Path) -> bool:
    """Whether the cluster is free, soon, and a group left no file."""
    return eventually(is_free) and list((folder / "workers").iterdir()) == []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """Ray's processes cannot import a test."""
    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    yield
    ray.cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("group")


@pytest.fixture(scope="module")
def group(ray_session: str, folder: Path) -> Iterator[WarmGroup]:
    """One group for all tests up to that of its end: a start takes long."""
    group = WarmGroup(count, "slot", PAIR, Folder.open(folder))
    yield group
    group.close()


def test_orders_are_done_one_after_the_other_by_the_same_processes(group):
    first, second = served(group, "a"), served(group, "b")
    assert [(row["order"], row["index"]) for row in first + second] == [(o, i) for o in "ab" for i in range(NUM_ROWS)]
    assert len(set(pids(first))) == 2
    assert {tuple(row["pids"]) for row in first + second} == {tuple(pids(first))}
    assert first[0]["threads"] == PAIR.cpus


@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_worker_that_dies_is_replaced_and_its_order_done_again(group, tmp_path, rank):
    before = served(group, "a")
    rows = served(group, "b", killed_rank=rank, once=str(tmp_path / "killed"))
    assert indices(rows) == [0, 1, 0, 1, 2, 3]
    assert {row["order"] for row in rows} == {"b"}
    assert set(pids(rows)).isdisjoint(pids(before))
    assert eventually(lambda: not any(is_running(pid) for pid in pids(before)))
    assert pids(served(group, "c")) == pids(rows)


@pytest.mark.slow
def test_a_worker_that_dies_between_orders_is_replaced(group):
    before = pids(served(group, "a"))
    os.kill(before[1], signal.SIGKILL)
    after = served(group, "b")
    assert indices(after) == [0, 1, 2, 3]
    assert set(pids(after)).isdisjoint(before)


def test_an_error_of_all_workers_is_raised_and_they_take_the_next_order(group):
    before = pids(served(group, "a"))
    rows = []
    with pytest.raises(ValueError, match="order b is bad") as caught:
        rows += group.serve({"name": "b", "failed_ranks": [0, 1]})
    assert str(caught.value) == "order b is bad"
    assert indices(rows) == [0, 1]
    assert "in misfortune" in caught.value.__notes__[0]
    assert pids(served(group, "c")) == before


@pytest.mark.slow
def test_an_error_of_one_worker_is_raised_and_new_workers_take_the_next_order(group, monkeypatch):
    monkeypatch.setattr("translearn.cluster.warm_run._GRACE_S", 1.0)
    before = pids(served(group, "a"))
    with pytest.raises(ValueError, match="order b is bad"):
        served(group, "b", failed_ranks=[1])
    assert eventually(lambda: not any(is_running(pid) for pid in before))
    assert indices(served(group, "c")) == [0, 1, 2, 3]


@pytest.mark.slow
def test_an_order_that_is_given_up_is_broken_off(group):
    rows = group.serve({"name": "a"})
    row = next(rows)
    rows.close()
    assert eventually(lambda: not any(is_running(pid) for pid in row["pids"]))
    assert {row["order"] for row in served(group, "b")} == {"b"}


def test_a_closed_group_leaves_nothing(group, folder):
    served(group, "a")
    group.close()
    assert nothing_left(folder)
    group.close()  # twice is as good as once


@pytest.mark.slow
def test_a_group_may_close_in_the_middle_of_an_order(ray_session, tmp_path, group):
    group.close()  # that of the tests before has all CPUs, where the test of its end was not selected
    group = WarmGroup(count, "slot", PAIR, Folder.open(tmp_path))
    rows = group.serve({"name": "a"})
    row = next(rows)
    group.close()
    assert not any(is_running(pid) for pid in row["pids"])
    assert nothing_left(tmp_path)
    rows.close()


@pytest.mark.slow
def test_workers_that_die_too_often_are_given_up(ray_session, tmp_path):
    group = WarmGroup(count, "slot", PAIR, Folder.open(tmp_path), max_failures=1)
    rows = []
    with pytest.raises(WorkersLostError, match=r"^workers of slot: must live until their order is done, but got "):
        rows += group.serve({"name": "a", "always_killed_rank": 1})
    assert indices(rows) == [0, 1, 0, 1]
    group.close()
    assert nothing_left(tmp_path)


class Slot(tune.Trainable):
    """Serves a trial by a group that outlives it."""

    def setup(self, config: dict[str, Any]) -> None:
        self._group = WarmGroup(count, f"slot-{os.getpid()}", PAIR, Folder.open(config["folder"]))
        self.reset_config(config)

    def reset_config(self, config: dict[str, Any]) -> bool:
        self._rows = self._group.serve({"name": config["trial"]})
        return True

    def step(self) -> dict[str, Any]:
        row = next(self._rows)
        if row["index"] == NUM_ROWS - 1:
            assert list(self._rows) == []
        return {**row, "done": row["index"] == NUM_ROWS - 1}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """A state that lasts is the handle's affair."""

    def cleanup(self) -> None:
        self._group.close()


@pytest.mark.slow
def test_trials_of_tune_share_a_group_where_actors_are_reused(ray_session, tmp_path):
    tuner = tune.Tuner(
        tune.with_resources(Slot, {"cpu": 0.01}),
        param_space={"trial": tune.grid_search(["a", "b", "c"]), "folder": str(tmp_path)},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=1),
        run_config=tune.RunConfig(name="tune", storage_path=str(tmp_path / "tune"), verbose=0),
    )
    results = tuner.fit()
    assert not results.errors
    assert [result.metrics["order"] for result in results] == ["a", "b", "c"]
    assert len({tuple(result.metrics["pids"]) for result in results}) == 1
    assert nothing_left(tmp_path)
