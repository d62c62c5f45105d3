"""Every fault, played on a study that only seems to be one: it strikes at all its points, and costs what it may."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from translearn.drill import case as cases
from translearn.drill import file_steps
from translearn.drill.case import Case
from translearn.drill.disk import Disk
from translearn.drill.leftovers import files
from translearn.drill.run import FAULTS, _depth
from translearn.drill.steps import Fault
from translearn.drill.trap import HIT

FAKE = Path(__file__).with_name("fake_study.py")


class NoNodes:
    """A cluster without nodes: who kills one does nothing. Without its head, a driver ends."""

    address = ""
    case: Case

    def mend(self) -> None: ...

    def node_of(self, pid: int) -> int:
        assert pid > 0
        return 0

    def remove(self, node: int) -> None: ...

    def kill_head(self) -> None:
        self.case._drivers[-1].kill()

    def leftovers(self) -> list[str]:
        return []


class NoDisk(Disk):
    """A folder that is none while it may not be written, so that nobody has to mount one. Real ones: test_disk.py."""

    @classmethod
    def mounted(cls, folder: Path, size: str = "") -> Disk:
        shutil.rmtree(folder)
        folder.mkdir()
        return cls(folder)

    def forbid(self) -> None:
        self.folder.rename(self.folder.with_name("aside"))
        self.folder.touch()

    def allow(self) -> None:
        self.folder.unlink()
        self.folder.with_name("aside").rename(self.folder)

    fill, empty = forbid, allow

    def unmount(self) -> None: ...


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        if command[:3] == [sys.executable, "-m", "translearn.drill.victim"]:
            command = [sys.executable, str(FAKE), *command[3:]]
        return real(command, **options)

    monkeypatch.setattr(cases.subprocess, "Popen", start)
    monkeypatch.setattr(file_steps, "_AWAY_S", 1.0)
    monkeypatch.setattr(cases, "Disk", NoDisk)


def played(fault: Fault, folder: Path, *more: Fault) -> Case:
    nodes = NoNodes()
    nodes.case = case = Case(folder / fault.name, nodes, fault.changes)  # type: ignore[arg-type]
    try:
        for one in (fault, *more):
            one.play(case, random.Random(0))
        case.finish()
    except BaseException:
        case.remove()
        raise
    finally:
        case.stop()
    return case


#: A killed driver, damage, a refusal and a storage that fails; the others go the same ways, more slowly.
_QUICK = ("driver", "corrupt", "truncated-shard", "storage-away", "read-only")
_CASES = [pytest.param(one, id=one.name, marks=() if one.name in _QUICK else pytest.mark.slow) for one in FAULTS]


@pytest.mark.parametrize("fault", _CASES)
def test_a_fault_strikes_wherever_it_says(fault: Fault, tmp_path: Path) -> None:
    undisturbed, case = played(Fault("none", (), fault.changes), tmp_path), None
    try:
        case = played(fault, tmp_path)
        hits = sum(case._snare(number).told.count(HIT) for number in range(1, case.num_attempts + 1))
        assert hits >= len([step for step in fault.steps if step.point])
        assert max(map(_depth, case.repeated(range(1, case.num_attempts + 1)))) <= fault.may_repeat
        assert files(case.study) == files(undisturbed.study)
    finally:
        if case:
            case.remove()


_BY_NAME = {fault.name: fault for fault in FAULTS}
_JOINED = [(_BY_NAME[fault.joins], fault) for fault in FAULTS if fault.joins]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), _JOINED, ids=[second.name for _, second in _JOINED])
def test_a_fault_strikes_also_in_a_study_that_another_one_met(first: Fault, second: Fault, tmp_path: Path) -> None:
    assert (second.changes, second.needs_disk) == (first.changes, first.needs_disk)
    undisturbed = played(Fault("none", (), first.changes), tmp_path)
    case = played(first, tmp_path, second)
    try:
        assert max(map(_depth, case.repeated(range(1, case.num_attempts + 1)))) <= 1
        assert files(case.study) == files(undisturbed.study)
    finally:
        case.remove()
