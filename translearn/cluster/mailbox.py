"""Between who orders and the workers of a warm group. Ray's controller and the actor import this, so it is light."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ray


@dataclass(frozen=True)
class Message:
    """What a worker says of the order at hand.

    Attributes:
        rank: The worker's number.
        body: A pickled row of the first worker, or the pickled error that ended the order. The mailbox does not
            open it, so it needs none of its classes. Empty where the order ended well.
        is_last: Whether this worker is through with the order.
    """

    rank: int
    body: bytes
    is_last: bool


class Mailbox:
    """The actor that carries orders to each worker of one run, and their messages back, in order.

    Each worker takes each order by itself: a broadcast would leave them waiting in a collective, with its timeout,
    as long as there is none.
    """

    def __init__(self, num_workers: int) -> None:
        self._orders: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in range(num_workers)]
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._ranks: set[int] = set()

    async def stay(self, rank: int) -> None:
        """Does not return as long as the worker is to live.

        Raises:
            RuntimeError: Another one was there before, and may have taken an order with it. So the run must fail, and
                whoever ordered notices.
        """
        if rank in self._ranks:
            raise RuntimeError(f"Worker {rank} was replaced within its run.")
        self._ranks.add(rank)
        await asyncio.Event().wait()

    async def post(self, order: Any) -> None:
        """An order for every worker: a reference in a tuple, or None, which sends them home."""
        for orders in self._orders:
            orders.put_nowait(order)

    async def take(self, rank: int) -> Any:
        """The worker's next order, as soon as there is one."""
        return await self._orders[rank].get()

    async def tell(self, message: Message) -> None:
        """A worker's message."""
        self._messages.put_nowait(message)

    async def hear(self) -> Message:
        """The next message of any worker, as soon as there is one."""
        return await self._messages.get()


def train_loop(config: dict[str, Any]) -> None:
    """The train loop of every worker; ``start`` holds a reference to a ``warm_worker.Start``, in a tuple."""
    from translearn.cluster.warm_worker import work

    work(ray.get(config["start"][0]))
