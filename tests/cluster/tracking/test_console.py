"""What is counted on the console."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.cluster.tracking import console
from translearn.cluster.tracking.console import Board


class NoMetrics:
    def __init__(self, *_: Any) -> None:
        self.counted: list[list[str]] = []

    def take(self, row: dict[str, Any], runs: Any) -> None:
        self.counted.append([run["status"] for run in runs])


def test_runs_that_ended_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "StepMetrics", NoMetrics)
    board = Board("trials", 2, 3, "study")
    board.update("a", {"epoch": 3, "val_error": 0.25}, "done")
    board.update("b", {"epoch": 1})
    assert board._metrics.counted[-1] == ["done", "running"]
    board.update("b", {"epoch": 1, "reason": None}, "stopped")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["trials", "1/2", "a"], ["trials", "2/2", "b"]]
    assert board._metrics.counted[-1] == ["done", "stopped"]
