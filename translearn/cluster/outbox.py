"""Things to send, done in order in a thread of their own: whoever hands one over neither waits nor fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Queue


class Outbox:
    """Sends what it is given. What fails is tried again for a while; then all is given up, and ``on_loss`` told once.

    Args:
        on_loss: Is told why something was not sent.
        patience_s: Seconds for which a thing is tried.
        pause_s: Seconds between two attempts.
    """

    def __init__(self, on_loss: Callable[[str], None], patience_s: float = 120.0, pause_s: float = 2.0) -> None:
        self._on_loss, self._patience_s, self._pause_s = on_loss, patience_s, pause_s
        self._queue: Queue[Callable[[], None] | None] = Queue()
        self._over, self._is_lost, self._last = threading.Event(), False, ""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, send: Callable[[], None]) -> None:
        """Takes a thing to do; a second attempt at it must do no harm."""
        if not self._is_lost:
            self._queue.put(send)

    def close(self, timeout_s: float) -> None:
        """Waits until all is sent or given up, but not longer than this."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        self._over.set()
        if self._thread.is_alive():
            self._lose(f"not all was sent within {timeout_s:g} s {self._last}".rstrip())

    def _work(self) -> None:
        for send in iter(self._queue.get, None):
            if not self._send(send):
                return

    def _send(self, send: Callable[[], None]) -> bool:
        until = time.monotonic() + self._patience_s
        while not self._over.is_set():
            try:
                send()
            except Exception as error:  # whatever a client raises: nothing that is sent is worth the study
                self._last = f"({one_line(error)})"
                if time.monotonic() >= until:
                    self._lose(f"it was tried for {self._patience_s:g} s {self._last}")
                    return False
                self._over.wait(self._pause_s)
            else:
                self._last = ""
                return True
        return False

    def _lose(self, why: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._on_loss(why)


def one_line(error: Exception, most: int = 200) -> str:
    """What an error says, on one line and not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}..."
