"""Threads beside a study: calls that a slow server must not slow it by, and work that lasts as long as a block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue


class Background:
    """Makes calls in order, in a daemon thread, until one raises: the remaining calls are dropped.

    Args:
        on_failure: Called once, with the reason, when a call raised or the calls took too long.
    """

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self._on_failure, self._has_failed = on_failure, False
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], object]) -> None:
        """Add a call; return at once."""
        if not self._has_failed:
            self._calls.put(call)

    def close(self, timeout_s: float) -> None:
        """Wait for the remaining calls, but no longer than ``timeout_s`` seconds."""
        self._calls.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._fail(f"not everything was sent within {timeout_s:g} s")

    def _work(self) -> None:
        for call in iter(self._calls.get, None):
            if self._has_failed:
                return
            try:
                call()
            except Exception as error:  # a tracker's failure, of whatever kind, must not end the study
                self._fail(one_line(error))

    def _fail(self, reason: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._on_failure(reason)


@contextmanager
def beside(work: Callable[[threading.Event], object]) -> Iterator[None]:
    """Do work in a daemon thread while the block runs, and wait for its end after the block.

    Args:
        work: Takes an event that is set when the block is over; it should end then.
    """
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def one_line(error: object, max_chars: int = 200) -> str:
    """Return what an error says, on one line of at most ``max_chars`` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= max_chars else f"{text[:max_chars]}..."
