"""Output for people while a study runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from translearn.cluster.tracking.metrics import StepMetrics

_ROWS = 16
# The columns of the table that figures and lines need: names have what is left, and at least these.
_FIGURES, _SHORTEST = 54, 16
_UNDER_WAY = ("waiting", "running")
_console = Console(highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """Print lines, above the live table if there is one; a terminal cuts none of them within a word."""
    width = terminal_width()
    lines = text.split("\n")
    _console.print("\n".join(_wrapped(line, width) if width else line for line in lines), markup=False)


def terminal_width() -> int | None:
    """Return the columns of the terminal; None where there is none."""
    return _console.width if _console.is_terminal else None


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    # An address stays whole, so that it can be copied.
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


class Board:
    """The runs of one step and how they stand; ``update`` may be called from any thread."""

    def __init__(self, title: str, num_runs: int, num_epochs: int, study: str) -> None:
        self._metrics = StepMetrics(study, title)
        self._title, self._num_runs, self._num_epochs = title, num_runs, num_epochs
        self._rows: dict[str, dict[str, Any]] = {}
        self._started = time.monotonic()
        self._live: Live | None = None

    def update(self, run: str, row: dict[str, Any], status: str = "running") -> None:
        """Take the latest figures of a run; print a line when the run has ended and there is no live table."""
        self._rows[run] = {**self._rows.get(run, {}), **row, "status": status}
        self._metrics.take(row, self._rows.values())
        if self._live:
            self._live.update(self._table())
        elif status not in _UNDER_WAY:
            say(self._line(run))

    def expect(self, run: str, **row: Any) -> None:
        """Show a run that waits for its turn, unless it has begun."""
        if run not in self._rows:
            self.update(run, row, "waiting")

    def follow(self, row: dict[str, Any]) -> None:
        """Take a row of Ray Train's workers, which names the run and says when it diverged."""
        ended = row["epoch"] >= row["epochs"] or "reason" in row
        self.update(row["run"], row, status_of(row, row["epochs"]) if ended else "running")

    def _num_ended(self) -> int:
        return sum(row["status"] not in _UNDER_WAY for row in self._rows.values())

    def _line(self, run: str) -> str:
        row = self._rows[run]
        count = f"{self._title} {self._num_ended()}/{self._num_runs}"
        reason = f"  {row['reason']}" if row.get("reason") else ""
        return f"{count}  {run:32s} epoch {row.get('epoch', 0):>3}  val error {_error(row)}  {row['status']}{reason}"

    def _table(self) -> Table:
        elapsed = int(time.monotonic() - self._started)
        caption = f"{self._num_ended()} of {self._num_runs} done, {elapsed // 60}:{elapsed % 60:02d}"
        justify: Any = {"title_justify": "left", "caption_justify": "left"}
        table = Table(title=self._title, caption=caption, box=None, padding=(0, 2, 0, 0), pad_edge=False, **justify)
        room = max(_SHORTEST, _console.width - _FIGURES)
        table.add_column("run", no_wrap=True, overflow="ellipsis", max_width=room)
        for column in ("epoch", "train loss", "val error", "images/s", "status"):
            table.add_column(column, justify="left" if column == "status" else "right", no_wrap=True)
        ranked = sorted(self._rows.items(), key=lambda item: _place(item[1]))
        for run, row in ranked[:_ROWS]:
            epoch = f"{row.get('epoch', 0)}/{self._num_epochs}"
            loss = f"{row['train_loss']:.3f}" if "train_loss" in row else ""
            speed = f"{row['images_per_s']:.0f}" if "images_per_s" in row else ""
            table.add_row(row.get("name", run), epoch, loss, _error(row), speed, row["status"])
        return table


_board: Board | None = None


@contextmanager
def board(title: str, num_runs: int, num_epochs: int, study: str) -> Iterator[Board]:
    """Show a table while the block runs; the last state stays on the screen. Prometheus gets the figures."""
    global _board
    _board = Board(title, num_runs, num_epochs, study)
    try:
        if sys.stdout.isatty():
            with Live(_board._table(), console=_console, refresh_per_second=4) as live:
                _board._live = live
                yield _board
        else:
            yield _board
    finally:
        _board = None


def status_of(last: dict[str, Any], num_epochs: int) -> str:
    """``done``, ``stopped`` (early) or ``failed``: how a trial ended, from its last result."""
    if last.get("reason"):
        return "failed"
    return "done" if last.get("epoch", 0) >= num_epochs else "stopped"


def _place(row: dict[str, Any]) -> tuple[int, float]:
    """Return a key that puts what runs first, then the best, then what waits."""
    return {"running": 0, "waiting": 2}.get(row["status"], 1), float(row.get("val_error", 1.0))


def _error(row: dict[str, Any]) -> str:
    return f"{100 * row['val_error']:5.1f} %" if "val_error" in row else "      "
