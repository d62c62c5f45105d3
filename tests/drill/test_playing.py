"""The drill's frame: which faults are played, and that one that goes wrong leaves the others, and nothing behind."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from translearn.drill import case as cases
from translearn.drill import run
from translearn.drill.case import Case
from translearn.drill.run import FAULTS, as_json, chosen, drill
from translearn.drill.steps import Fault, Step, command
from translearn.drill.trap import HIT, Snare
from translearn.errors import InputError


class NoCluster:
    """A cluster of which nothing is asked."""

    address = ""

    def mend(self) -> None: ...

    def renew(self) -> None: ...

    def leftovers(self) -> list[str]:
        return []


def made(folder: Path) -> Case:
    return Case(folder, NoCluster())  # type: ignore[arg-type]


def tell(case: Case, *commands: list[str]) -> None:
    for lines in commands:
        case.num_attempts += 1
        snare = Snare((), str(case.folder / "snares" / f"{case.num_attempts}"))
        snare.write()
        for line in lines:
            snare.tell(line)


def test_epochs_that_are_trained_again_are_counted_from_hit_to_hit(tmp_path: Path) -> None:
    case, a, b = made(tmp_path / "case"), "search/a/{}/rank0/of2", "search/b/{}/rank0/of1"
    replay = "replay/a/1/rank0/of1"
    tell(
        case,
        [a.format(1), a.format(2), HIT, a.format(2), b.format(1), HIT, a.format(2)],
        [a.format(1), a.format(2), b.format(2), replay, replay, HIT, b.format(2)],
    )
    one, two = "search/a/1", "search/a/2"
    found = case.repeated(range(1, 3))
    # What the second command trains again before it is hit is the cost of the first one's last hit.
    assert [dict(times) for times in found] == [{}, {two: 1}, {one: 1, two: 2}, {"search/b/2": 1}]
    assert [run._depth(times) for times in found] == [0, 1, 2, 1]
    assert case.repeated(range(1, 2)) == found[:3]
    assert case.repeated(range(2, 3)) == found[3:]


@pytest.mark.parametrize(("only", "short"), [("nan", True), ("nothing", False), ("nothing", True)])
def test_a_choice_of_nothing_is_refused(only: str, short: bool) -> None:
    with pytest.raises(InputError, match=f"must be one of .*several.*but got {only!r}"):
        chosen(only, short)


def test_the_whole_set_has_every_fault_but_the_short_one_whose_points_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "can_mount", lambda: True)
    names = [fault.name for fault in chosen(None, False)]
    assert names == [fault.name for fault in FAULTS if not fault.is_short]
    assert [fault.name for fault in chosen(None, True)] == ["several"]
    assert [fault.name for fault in chosen("several", False)] == ["several"]


def test_who_may_not_mount_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "can_mount", lambda: False)
    assert not {"disk-full", "read-only"} & {fault.name for fault in chosen(None, False)}
    with pytest.raises(InputError, match="need root"):
        chosen("read-only", False)


def test_every_fault_has_a_point_and_no_two_the_same() -> None:
    points = [(fault.name, fault.point) for fault in FAULTS]
    assert all(point for _, point in points)
    assert len(set(points)) == len(points)


def _breaks(error: BaseException) -> Fault:
    def act(case: Case, _: random.Random) -> None:
        case._drivers.append(sleeper())
        raise error

    return Fault("breaks", (Step("at once", act),))


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The drill without a cluster, and without an undisturbed study; gives the cases that were played."""
    played: list[Case] = []

    @contextmanager
    def scene(num_nodes: int) -> Iterator[tuple[Path, Any]]:
        (tmp_path / "t").mkdir()
        yield tmp_path, NoCluster()

    class Kept(Case):
        def __post_init__(self) -> None:
            super().__post_init__()
            played.append(self)

    monkeypatch.setattr(run, "_scene", scene)
    monkeypatch.setattr(run, "Case", Kept)
    monkeypatch.setattr(run, "_undisturbed", lambda folder, cluster, fault: Kept(folder, cluster, fault.changes))
    return played


def test_a_fault_that_goes_wrong_is_told_of_and_the_next_one_is_played(stage: list[Case]) -> None:
    broken = subprocess.CalledProcessError(32, ["mount"])
    outcomes = drill([_breaks(broken), _breaks(cases.DrillError("struck nothing"))], 0)
    assert [outcome.is_good for outcome in outcomes] == [False, False]
    assert outcomes[0].problems[0].startswith("CalledProcessError: ")
    assert outcomes[1].problems == ("struck nothing", "the study was not done, and not compared")
    assert [fault["point"] for fault in json.loads(json.dumps(as_json(outcomes)))["faults"]] == ["at once"] * 2
    assert all(driver.poll() is not None for case in stage for driver in case._drivers)
    assert [case.folder.exists() for case in stage] == [False, True, False]  # the undisturbed study's goes last


def test_an_undisturbed_study_that_fails_is_a_problem_of_its_fault(
    stage: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Case:
        raise cases.DrillError("the undisturbed study failed")

    monkeypatch.setattr(run, "_undisturbed", fail)
    (outcome,) = drill([_breaks(cases.DrillError("never"))], 0)
    assert (outcome.is_good, outcome.problems) == (False, ("DrillError: the undisturbed study failed",))


def test_ctrl_c_ends_the_commands_too(stage: list[Case]) -> None:
    with pytest.raises(KeyboardInterrupt):
        drill([_breaks(KeyboardInterrupt())], 0)
    assert stage[0]._drivers[0].poll() is not None
    assert not stage[0].folder.exists()


def test_a_point_names_all_that_is_hit() -> None:
    lane = next(fault for fault in FAULTS if fault.name == "lane")
    assert lane.point == "during a trial's checkpoint, after a random epoch of the search"
    assert Fault("a", (command(), *lane.steps, Step("b", lane.play))).point == f"{lane.point}; then b"


def _told(name: str, *lines: str, joins: str = "", fails: bool = False) -> Fault:
    """A fault whose one command tells these lines."""

    def act(case: Case, _: random.Random) -> None:
        tell(case, list(lines))
        if fails:
            raise cases.DrillError("struck nothing")

    return Fault(name, (Step("once", act),), joins=joins)


@pytest.fixture
def shared(stage: list[Case], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How studies that end differ from the undisturbed one; to be filled."""
    found: list[str] = []
    monkeypatch.setattr(Case, "finish", lambda _: None)
    monkeypatch.setattr(run, "differences", lambda *_: list(found))
    return found


EPOCH = "search/a/1/rank0/of1"


def test_faults_that_share_a_study_are_told_of_one_by_one(stage: list[Case], shared: list[str]) -> None:
    first, second = _told("first", EPOCH, HIT), _told("second", EPOCH, HIT, EPOCH, EPOCH, joins="first")
    outcomes = drill([first, second], 0)
    assert [(one.name, one.equal, one.lost_epochs, one.num_commands) for one in outcomes] == [
        ("first", True, 1, 1),
        ("second", True, 2, 1),
    ]
    assert len(stage) == 2  # the undisturbed one, and theirs


def test_what_differs_in_a_shared_study_is_a_problem_of_all_its_faults(stage: list[Case], shared: list[str]) -> None:
    shared.append("trials.parquet: other rows")
    outcomes = drill([_told("first"), _told("second", joins="first")], 0)
    assert [(one.equal, one.problems) for one in outcomes] == [(False, ("trials.parquet: other rows",))] * 2


def test_after_a_fault_that_fails_the_one_that_would_share_its_study_gets_its_own(
    stage: list[Case], shared: list[str]
) -> None:
    outcomes = drill([_told("first", fails=True), _told("second", EPOCH, HIT, joins="first")], 0)
    assert [(one.equal, one.problems) for one in outcomes] == [
        (False, ("struck nothing", "the study was not done, and not compared")),
        (True, ()),
    ]
    assert len({case.folder for case in stage}) == 3


def test_a_shared_study_that_is_never_done_is_equal_for_none_of_its_faults(
    stage: list[Case], shared: list[str]
) -> None:
    outcomes = drill([_told("first"), _told("second", joins="first", fails=True)], 0)
    assert [one.equal for one in outcomes] == [False, False]


def test_a_fault_has_its_own_study_where_the_one_it_joins_is_not_played(stage: list[Case], shared: list[str]) -> None:
    drill([_told("other"), _told("second", joins="first")], 0)
    assert len({case.folder for case in stage}) == 3
