"""Two commands in one study: the second is refused; a dead one never stands in the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from translearn.errors import TranslearnError
from translearn.storage import Folder
from translearn.study.lock import only_driver

LOCK = ".pets.lock"
_SPAWN = multiprocessing.get_context("spawn")


def object_store(path: Path) -> Folder:
    """A folder on a file system without locks."""
    return Folder(pafs.SubTreeFileSystem(str(path), pafs.LocalFileSystem()), "runs", "s3://bucket/runs")


def local(path: Path) -> Folder:
    return Folder.open(path / "runs")


def hold(path: Path, ready: multiprocessing.synchronize.Event, kind: str) -> None:
    folder = local(path) if kind == "local" else object_store(path)
    with only_driver(folder, "pets", beat_s=0.1):
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
        with pytest.raises(TranslearnError, match=message), only_driver(folder, "pets", beat_s=0.5, silent_s=5):
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
    with only_driver(folder, "pets", silent_s=1000):
        assert time.monotonic() - started < 100
        assert json.loads(folder.read_bytes(LOCK))["pid"] == os.getpid()


def test_a_driver_of_another_machine_is_dead_when_it_signs_no_more(tmp_path: Path) -> None:
    folder = object_store(tmp_path)
    folder.make()
    folder.write_json(LOCK, {"host": "elsewhere", "pid": 1, "since": "now", "owner": "x", "beat": 3})
    with only_driver(folder, "pets", silent_s=0.3):
        assert json.loads(folder.read_bytes(LOCK))["host"] != "elsewhere"
    assert not folder.exists(LOCK)


def test_after_an_error_the_next_command_may_work(tmp_path: Path, kind: str) -> None:
    folder = local(tmp_path) if kind == "local" else object_store(tmp_path)
    with pytest.raises(RuntimeError), only_driver(folder, "pets"):
        raise RuntimeError
    with only_driver(folder, "pets", silent_s=1000):
        pass
