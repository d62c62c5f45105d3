"""The desk of a search: lanes get their heats here, and trials that pause leave their state in memory.

Ray's actors import this, so it is light.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any


class Desk:
    """An actor without a CPU of its own. References stay references in it: it holds states, and never reads them."""

    def __init__(self) -> None:
        self._heats: dict[int, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        self._takers: dict[int, int | None] = {}
        self._abandoned: set[int] = set()
        self._states: dict[str, tuple[Any]] = {}

    async def assign(self, lane: int, heat: bytes | None) -> None:
        """What a lane does next, a pickled heat, so that the desk need not import what it is made of; None ends it."""
        self._abandoned.discard(lane)
        self._heats[lane].put_nowait(heat)

    async def abandon(self, lane: int) -> None:
        """Nobody wants what the lane is doing."""
        self._abandoned.add(lane)

    async def is_abandoned(self, lane: int) -> bool:
        """Whether a lane can break off what it is doing."""
        return lane in self._abandoned

    async def clear(self, lane: int) -> None:
        """A lane died: what it did not take is void, and nobody waits for it any more."""
        self._heats[lane], self._takers[lane] = asyncio.Queue(), None

    async def next_heat(self, lane: int, taker: int) -> bytes | None:
        """What a lane does next, as soon as that is known; ``taker`` is its process."""
        self._takers[lane] = taker
        while self._takers[lane] == taker:
            try:
                return await asyncio.wait_for(self._heats[lane].get(), timeout=1.0)
            except TimeoutError:
                continue  # a dead process still asks here, and must not take what the next one is meant to have
        return None

    async def keep(self, run: str, state: tuple[Any]) -> None:
        """Holds a reference to the state of a trial, in a tuple so that Ray passes the reference on."""
        self._states[run] = state

    async def state(self, run: str) -> tuple[Any] | None:
        """The reference that was kept last; None without one."""
        return self._states.get(run)

    async def drop(self, runs: list[str]) -> None:
        """Lets go of the states of trials that do not go on."""
        for run in runs:
            self._states.pop(run, None)
