"""Two commands in one study: the second is refused; a dead one never stands in the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from translearn.errors import TranslearnError
from translearn.storage.file_systems import PATIENT
from translearn.storage.folder import Folder
from translearn.study.lock.lock import only_driver
from translearn.study.lock.signed_lock import Pace

LOCK = ".pets.lock"
PACE = Pace(beat_s=0.2, silent_s=1000, settle_s=0.2)
_SPAWN = multiprocessing.get_context("spawn")


def object_store(path: Path) -> Folder:
    """A folder on a file system without locks."""
    return Folder(pafs.SubTreeFileSystem(str(path), pafs.LocalFileSystem()), "runs", "s3://bucket/runs")


def local(path: Path) -> Folder:
    return Folder.open(path / "runs")


def hold(path: Path, ready: multiprocessing.synchronize.Event, kind: str) -> None:
    folder = local(path) if kind == "local" else object_store(path)
    with only_driver(folder, "pets", Pace(beat_s=0.1, settle_s=0.2)):
        ready.set()
        time.sleep(60)


@pytest.fixture(params=["local", "object store"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def held_elsewhere(path: Path, kind: str) -> multiprocessing.process.BaseProcess:
    ready = _SPAWN.Event()
    process = _SPAWN.Process(target=hold, args=(path, ready, kind))
    process.start()
    assert ready.wait(30)
    return process


def test_the_second_command_is_refused_and_told_who_is_there(tmp_path: Path, kind: str) -> None:
    process = held_elsewhere(tmp_path, kind)
    folder = local(tmp_path) if kind == "local" else object_store(tmp_path)
    try:
        message = (
            rf"^{re.escape(folder.uri)}/pets: must have one command at work at a time, but got one on \S+, process "
            rf"{process.pid}, since \S+\. Wait for it to end, or stop it; this command then goes on where it was\.$"
        )
        with pytest.raises(TranslearnError, match=message), only_driver(folder, "pets", Pace(beat_s=0.5, silent_s=5)):
            pass
    finally:
        process.kill()
        process.join()


def test_a_command_that_was_killed_does_not_stand_in_the_way(tmp_path: Path, kind: str) -> None:
    process = held_elsewhere(tmp_path, kind)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    folder = local(tmp_path) if kind == "local" else object_store(tmp_path)
    started = time.monotonic()
    with only_driver(folder, "pets", PACE):
        assert time.monotonic() - started < 100
        assert json.loads(folder.read_bytes(LOCK))["pid"] == os.getpid()


def test_a_driver_of_another_machine_is_dead_when_it_signs_no_more(tmp_path: Path) -> None:
    folder = object_store(tmp_path)
    folder.make()
    folder.write_json(LOCK, {"host": "elsewhere", "pid": 1, "since": "now", "owner": "x", "beat": 3})
    with only_driver(folder, "pets", Pace(0.2, 0.3, 0.2)):
        assert json.loads(folder.read_bytes(LOCK))["host"] != "elsewhere"
    assert not folder.exists(LOCK)


def test_after_an_error_the_next_command_may_work(tmp_path: Path, kind: str) -> None:
    folder = local(tmp_path) if kind == "local" else object_store(tmp_path)
    with pytest.raises(RuntimeError), only_driver(folder, "pets", PACE):
        raise RuntimeError
    with only_driver(folder, "pets", PACE):
        pass


class Slow(Folder):
    """An object store that two drivers look at at the same moment, and that is slow to take a signature."""

    def __init__(self, folder: Folder, barrier: threading.Barrier, late_s: float) -> None:
        super().__init__(folder.fs, folder.path, folder.uri)
        self.__dict__.update(barrier=barrier, late_s=late_s, log=[])

    def exists(self, name: str = "") -> bool:
        found = super().exists(name)
        if not self.log:
            self.log.append("looked")
            self.barrier.wait(10)
        return found

    def write_bytes(self, name: str, content: bytes | memoryview) -> None:
        if len(self.log) == 1:
            self.log.append("signed")
            time.sleep(self.late_s)
        super().write_bytes(name, content)


@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.5, 1.5])
def test_of_two_that_begin_at_once_one_is_at_work(tmp_path: Path, late_s: float) -> None:
    barrier, at_work, most = threading.Barrier(2), [], []

    def drive(late_s: float) -> str:
        try:
            with only_driver(Slow(object_store(tmp_path), barrier, late_s), "pets", PACE):
                at_work.append(late_s)
                for _ in range(15):
                    time.sleep(0.1)
                    most.append(len(at_work))
        except TranslearnError as error:
            return str(error)
        finally:
            with suppress(ValueError):
                at_work.remove(late_s)
        return ""

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(drive, (0.01, late_s))
    assert sorted((first == "", second == "")) == [False, True]
    assert "must have one command at work at a time" in first + second
    # A thread of a test is not interrupted: the first may be in there after its lock was taken, and is told at its end.
    assert max(most) == 1 or "its lock was taken by one on" in first
    assert not object_store(tmp_path).exists(LOCK)


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_driver_that_lost_its_lock_is_interrupted_and_leaves_the_other_one_s(tmp_path: Path, is_taken: bool) -> None:
    folder = object_store(tmp_path)
    other = {"host": "elsewhere", "pid": 7, "since": "now", "owner": "x", "beat": 3}

    def take_over() -> None:
        folder.write_json(LOCK, other) if is_taken else folder.remove_file(LOCK)

    why = "its lock was taken by one on elsewhere, process 7, since now" if is_taken else "its lock is gone"
    rule = re.escape("s3://bucket/runs/pets: must have one command at work at a time, but got ")
    remedy = (
        r"\. This one was silent for too long, and ends here: nothing is lost\. Run it again when no other one works\."
    )

    def drive() -> None:
        with only_driver(folder, "pets", PACE):
            threading.Timer(0.1, take_over).start()
            threading.Event().wait(30)
            pytest.fail("was not interrupted")

    with pytest.raises(TranslearnError, match=f"^{rule}{why}{remedy}$"):
        drive()
    assert folder.exists(LOCK) == is_taken
    if is_taken:
        assert folder.read_json(LOCK) == other


def test_a_living_driver_is_never_silent_for_so_long() -> None:
    assert Pace().silent_s > PATIENT.waits_s + PATIENT.silence_s + Pace().beat_s
