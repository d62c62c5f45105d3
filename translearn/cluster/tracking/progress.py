"""Progress of a command, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from translearn.cluster.tracking.background import beside

_AFTER_S, _EVERY_S = 5.0, 10.0


class _Sized(Protocol):
    def __len__(self) -> int: ...


_Part = TypeVar("_Part", bound=_Sized)


def followed(parts: Iterable[_Part], total: int, unit: str) -> Generator[_Part, None, None]:
    """Yield the same parts, and show how many of ``total`` units they have been; from five seconds on.

    Args:
        parts: Each has a length, in units; an empty one tells that the work goes on.
        total: The sum of their lengths.
        unit: The plural of what is counted.
    """
    yield from _bar(parts, total, unit) if sys.stderr.isatty() else _lines(parts, total, unit)


@contextmanager
def ticking(what: str) -> Iterator[None]:
    """Show that a block without parts to count goes on, and for how long; from five seconds on.

    Args:
        what: The work, in a few words.
    """
    if sys.stderr.isatty():
        with Progress(TextColumn(what), TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
            progress.add_task("")
            yield
        return
    with beside(partial(_tick, what)):
        yield


def _tick(what: str, over: threading.Event) -> None:
    started, pause_s = time.monotonic(), _AFTER_S
    while not over.wait(pause_s):
        sys.stderr.write(f"{what}: {time.monotonic() - started:.0f} s\n")
        sys.stderr.flush()
        pause_s = _EVERY_S


def _bar(parts: Iterable[_Part], total: int, unit: str) -> Iterator[_Part]:
    speed = TextColumn("{task.fields[speed]} " + unit + "/s")
    columns = (BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn(compact=True))
    started, done = time.monotonic(), 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, speed="0", visible=False)
        for part in parts:
            yield part
            done, elapsed = done + len(part), time.monotonic() - started
            progress.update(task, completed=done, speed=_rounded(done / elapsed), visible=elapsed > _AFTER_S)


def _lines(parts: Iterable[_Part], total: int, unit: str) -> Iterator[_Part]:
    started, done = time.monotonic(), 0
    due = started + _AFTER_S
    for part in parts:
        yield part
        done, now = done + len(part), time.monotonic()
        if now > due and done < total:
            due = now + _EVERY_S
            sys.stderr.write(f"{done:,} of {total:,} {unit}, {_pace(done, total, unit, now - started)}\n")
            sys.stderr.flush()


def _pace(done: int, total: int, unit: str, elapsed_s: float) -> str:
    if not done:
        return f"{elapsed_s:.0f} s so far"
    speed = done / elapsed_s
    return f"{_rounded(speed)} {unit}/s, {(total - done) / speed:.0f} s left"


def _rounded(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"
