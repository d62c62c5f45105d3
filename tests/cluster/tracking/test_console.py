"""What is counted on the console."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

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


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Callable[[Board], list[str]]:
    """Print the table of a board on a terminal of 80 columns."""
    printed = io.StringIO()
    terminal = Console(width=80, file=printed)
    monkeypatch.setattr(console, "StepMetrics", NoMetrics)
    monkeypatch.setattr(console, "_console", terminal)

    def lines(board: Board) -> list[str]:
        printed.truncate(0)
        terminal.print(board._table())
        return [line.rstrip() for line in printed.getvalue().lstrip("\0").splitlines()]

    return lines


def test_at_80_columns_only_names_are_cut(table: Callable[[Board], list[str]]) -> None:
    board = Board("trials", 3, 1000, "study")
    figures = {"train_loss": 123.456, "val_error": 0.1234, "images_per_s": 12345.6}
    long = "imagenet-of-a-very-long-name-" * 3
    board.update("trial-1", {"epoch": 1000, "name": f"d3 lr 1.0e-02 {long}", **figures}, "done")
    lines = table(board)
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if "…" in line]
    assert row.startswith("d3 lr 1.0e-02 imagenet")
    for cell in ("1000/1000", "123.456", "12.3 %", "12346", "done"):
        assert f" {cell}" in row


def test_what_runs_comes_first_then_the_best_and_then_what_waits(table: Callable[[Board], list[str]]) -> None:
    board = Board("trials", 4, 3, "study")
    board.expect("c", name="d0 lr 1.0e-02 imagenet-v1")
    board.update("a", {"epoch": 3, "val_error": 0.5}, "done")
    board.update("b", {"epoch": 3, "val_error": 0.25}, "done")
    board.update("d", {"epoch": 1, "val_error": 0.9})
    board.expect("a", name="it has begun")
    rows = table(board)[2:6]
    assert [row.split("  ")[0] for row in rows] == ["d", "b", "a", "d0 lr 1.0e-02 imagenet-v1"]
    assert "waiting" in rows[-1]
    assert board._table().caption == "2 of 4 done, 0:00"


def test_without_a_terminal_what_waits_has_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "StepMetrics", NoMetrics)
    Board("trials", 1, 3, "study").expect("a")
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_words_and_addresses_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(
        console, "_console", Console(width=30, file=printed, force_terminal=True, soft_wrap=True, highlight=False)
    )
    address = "/a/very/long/address/of/a/model/that/is/copied"
    console.say(f"  scratch has an error of 12.345 % on test: {address}\nshort")
    assert printed.getvalue().splitlines() == [
        "  scratch has an error of",
        "    12.345 % on test:",
        f"    {address}",
        "short",
    ]
