"""The desk as plain asyncio, without Ray: who is given a heat, and who waits in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from translearn.cluster.desk import Desk


def at_once(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    """A wait that is to end, but for the second in which a taker looks whether it was superseded."""
    return asyncio.wait_for(awaitable, timeout=10)


async def waits(task: asyncio.Task[Any]) -> bool:
    """Whether a task still waits after all that could be done was done."""
    done, _ = await asyncio.wait([task], timeout=0.05)
    return not done


def test_a_lane_gets_its_heats_in_order_and_none_of_another_lane() -> None:
    async def story() -> list[Any]:
        desk = Desk()
        for lane, heat in ((0, "first"), (1, "other"), (0, "second"), (0, None)):
            await desk.assign(lane, heat)
        return [await at_once(desk.next_heat(lane, taker=7)) for lane in (0, 0, 0, 1)]

    assert asyncio.run(story()) == ["first", "second", None, "other"]


def test_a_lane_that_asks_first_waits_until_there_is_a_heat() -> None:
    async def story() -> tuple[bool, Any]:
        desk = Desk()
        asked = asyncio.create_task(desk.next_heat(0, taker=7))
        waited = await waits(asked)
        await desk.assign(0, "heat")
        return waited, await at_once(asked)

    assert asyncio.run(story()) == (True, "heat")


def test_a_process_that_died_takes_nothing_from_the_one_that_replaced_it() -> None:
    async def story() -> list[Any]:
        desk = Desk()
        dead = asyncio.create_task(desk.next_heat(0, taker=1))
        assert await waits(dead)
        await desk.clear(0)
        living = asyncio.create_task(desk.next_heat(0, taker=2))
        assert await waits(living)
        await desk.assign(0, "heat")
        return [await at_once(living), await at_once(dead)]

    assert asyncio.run(story()) == ["heat", None]


def test_what_a_dead_lane_did_not_take_is_void() -> None:
    async def story() -> tuple[bool, Any]:
        desk = Desk()
        await desk.assign(0, "lost")
        await desk.clear(0)
        asked = asyncio.create_task(desk.next_heat(0, taker=2))
        waited = await waits(asked)
        await desk.assign(0, "next")
        return waited, await at_once(asked)

    assert asyncio.run(story()) == (True, "next")


def test_the_last_state_of_a_trial_is_kept_until_it_is_dropped() -> None:
    async def story() -> list[Any]:
        desk = Desk()
        for run, state in (("a", (1,)), ("b", (2,)), ("a", (3,))):
            await desk.keep(run, state)
        before = [await desk.state(run) for run in ("a", "b", "c")]
        await desk.drop(["a", "c"])
        return before + [await desk.state(run) for run in ("a", "b")]

    assert asyncio.run(story()) == [(3,), (2,), None, None, (2,)]
