"""The time that a study has used, over all of its commands."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from translearn.storage.folder import Folder
from translearn.study.planning import clock
from translearn.study.planning.clock import TIME, Clock, counted


def test_time_adds_up_over_commands_and_not_between_them(tmp_path: Path) -> None:
    folder = Folder.open(tmp_path)
    with counted(folder, time.monotonic() - 100) as first:
        assert first.used_s >= 100
    kept = folder.read_json(TIME)["used_s"]
    assert 100 <= kept < 160
    with pytest.raises(KeyboardInterrupt), counted(folder, time.monotonic() - 50):
        raise KeyboardInterrupt
    assert kept + 49.9 < folder.read_json(TIME)["used_s"] < kept + 110
    assert Clock(folder, time.monotonic()).used_s >= 150


def test_time_is_kept_while_a_command_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_EVERY_S", 0.01)
    folder = Folder.open(tmp_path)
    with counted(folder, time.monotonic() - 7):
        while not folder.exists(TIME):
            time.sleep(0.01)
        assert folder.read_json(TIME)["used_s"] >= 7
