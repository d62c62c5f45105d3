"""A heat in this process, without Ray: where it starts and ends, whatever an earlier attempt left."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from translearn.boundary.cost import Decision
from translearn.cluster import heat as heats
from translearn.cluster.data.shared import Task
from translearn.cluster.heat import Order, Setting, run_heat
from translearn.cluster.node_cache import Readings
from translearn.config import StudySpec, parse_spec
from translearn.contest import Contestant, Heat, Point, Row
from translearn.data.images.image_set import ImageSet
from translearn.errors import StorageError
from translearn.models.network import build
from translearn.models.sources import Source
from translearn.models.weights import fingerprint
from translearn.training import step as runs
from translearn.training.distributed import Team
from translearn.training.epoch import Stored

GOOD, BAD = Contestant(1, Point("a", 4, 1e-3, 0.0, False)), Contestant(2, Point("a", 1, 1e12, 0.0, False))
OTHER = Contestant(3, Point("a", 5, 1e-2, 0.0, False))


class Kept:
    """States in a dict; ``keep`` and ``write`` are alike."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}

    def load(self, run: str) -> Any:
        return self.states.get(run)

    def keep(self, run: str, saved: Any) -> None:
        self.states[run] = saved

    write = keep

    def forget(self, run: str) -> None:
        """Storage, the same dict, still has it."""


def images(num: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num, dtype=np.int64) % 2, np.arange(num, dtype=np.uint64))


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    state = build("resnet18", 2, 0).state_dict()
    task = Task(
        images(12), images(6), 2, {"a": Source("a", "resnet18", "checkpoint", state, fingerprint=fingerprint(state))}
    )
    monkeypatch.setattr(heats, "task_of", lambda _: task)
    return Setting(SimpleNamespace(), spec(), Kept(), threads=1)  # type: ignore[arg-type]


def spec() -> StudySpec:
    return parse_spec(
        {
            "name": "heat",
            "target": {"data": "sklearn:digits", "image_size": 32},
            "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}],
            "search": {"epochs": 6, "boundaries": "compute"},
            "train": {"batch_size": 6, "precision": "fp32"},
            "cluster": {"checkpoint_interval_s": 0.0},
        }
    )


def rows(setting: Setting, until: int, *contestants: Contestant, is_replay: bool = False) -> list[Row]:
    heat = Heat(contestants, until, is_replay)
    return [row for epoch in run_heat(Order(setting, heat), Team()) for row in epoch]


def shown(found: list[Row]) -> list[tuple[int, int]]:
    return [(int(row["run"][:3]), row["epoch"]) for row in found]


def test_a_heat_goes_on_where_the_one_before_ended(setting: Setting) -> None:
    assert shown(rows(setting, 2, GOOD)) == [(1, 1), (1, 2)]
    again = rows(setting, 4, GOOD, OTHER)
    assert shown(again) == [(1, 1), (1, 2), (3, 1), (3, 2), (1, 3), (3, 3), (1, 4), (3, 4)]


def test_one_whose_state_is_at_the_rung_already_does_not_pass_it(setting: Setting) -> None:
    rows(setting, 3, GOOD)
    assert shown(rows(setting, 3, GOOD)) == [(1, 1), (1, 2), (1, 3)]
    # With one that is not there yet, only that one runs; what lies beyond a rung is not told.
    assert shown(rows(setting, 3, GOOD, OTHER)) == [(1, 1), (1, 2), (1, 3), (3, 1), (3, 2), (3, 3)]
    assert shown(rows(setting, 2, GOOD)) == [(1, 1), (1, 2)]


def test_one_that_diverges_first_does_not_cut_the_others_off(setting: Setting) -> None:
    rows(setting, 4, GOOD)
    found = rows(setting, 6, BAD, GOOD)
    assert [epoch for number, epoch in shown(found) if number == 1] == [1, 2, 3, 4, 5, 6]
    assert [bool(row.get("reason")) for row in found if row["run"] == BAD.run] == [True]


def test_stored_boundaries_are_paid_for_in_the_first_epoch_by_those_who_read_them(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heats, "stored_boundaries", lambda *_: Readings(Stored(), {4: 2.0, 5: 3.0}, spent_s=5.0))
    shallow = Contestant(4, Point("a", 1, 1e-3, 0.0, False))
    found = rows(setting, 2, GOOD, OTHER, shallow)
    # Each of two pays half of the five seconds, once.
    assert [row["cached_s"] for row in found] == [2.0 - 2.5, 3.0 - 2.5, 0.0, 2.0, 3.0, 0.0]


def test_what_was_measured_in_vain_costs_all_alike(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heats, "stored_boundaries", lambda *_: Readings(Stored(), {}, spent_s=5.0))
    assert [row["cached_s"] for row in rows(setting, 2, GOOD, OTHER)] == [-2.5, -2.5, 0.0, 0.0]


def test_where_boundaries_come_from_is_logged_with_the_reason(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = (Decision(5, "recompute", 0, 0.0, "1 kB do not fit"),)
    monkeypatch.setattr(heats, "stored_boundaries", lambda *_: Readings(Stored(), {}, plans={"val": plan}))
    rows(setting, 1, OTHER)
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("event", "trial", "split", "depth", "place", "reason")} == {
        "event": "boundary",
        "trial": OTHER.run,
        "split": "val",
        "depth": 5,
        "place": "recompute",
        "reason": "1 kB do not fit",
    }

    def refused(*_: object) -> Readings:
        raise StorageError("disk: cannot be used")

    monkeypatch.setattr(heats, "stored_boundaries", refused)
    assert shown(rows(setting, 2, OTHER)) == [(3, 1), (3, 2)]
    assert json.loads(capsys.readouterr().out)["reason"] == "disk: cannot be used"


def test_whether_to_compile_is_judged_by_the_steps_of_the_heat(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []

    def compiled(module: Any, compile_: str, device: Any, num_steps: int) -> Any:
        judged.append(num_steps)
        return module

    monkeypatch.setattr(runs, "compiled", compiled)
    for until in (1, 3):
        rows(setting, until, GOOD)
    rows(setting, 6, GOOD, is_replay=True)
    assert judged == [2 * 1, 2 * 2, 2 * 6]  # two steps an epoch


def test_a_replay_begins_at_the_first_epoch_and_leaves_nothing(setting: Setting) -> None:
    found = rows(setting, 6, GOOD)
    kept = dict(setting.places.states)  # type: ignore[attr-defined]
    again = rows(setting, 6, GOOD, is_replay=True)
    assert shown(again) == shown(found)
    assert again[-1]["weights"] == found[-1]["weights"] is not None
    assert setting.places.states == kept  # type: ignore[attr-defined]
