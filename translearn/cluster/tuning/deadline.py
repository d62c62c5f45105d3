"""The end of a search by the clock, which moves when a search goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune

_ends: list[float] = []


class Deadline(tune.Stopper):
    """Ends all trials when the time of ``ending_in`` is over.

    Tune pickles its stoppers with the experiment, and a restored one has those of before: so it holds nothing.
    """

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        """End no single trial."""
        return False

    def stop_all(self) -> bool:
        """Return whether the time is over."""
        return any(time.monotonic() > end for end in _ends)


@contextmanager
def ending_in(seconds: float | None) -> Iterator[None]:
    """End the trials of a search that runs in the block after so many seconds; None for no end."""
    ends = [] if seconds is None else [time.monotonic() + seconds]
    _ends.extend(ends)
    try:
        yield
    finally:
        for end in ends:
            _ends.remove(end)
