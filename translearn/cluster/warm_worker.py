"""What every worker of a warm group does: one order after the other, until it is sent home."""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ray
import ray.train.torch

from translearn.cluster.mailbox import Message
from translearn.cluster.node_cache import close_node_cache
from translearn.training.distributed import Team
from translearn.training.precision import prepare_process

#: Does an order with the team's other workers; each of them iterates to the end, the first one's rows are passed on.
Handle = Callable[[Any, Team], Iterator[Any]]


@dataclass(frozen=True)
class Start:
    """What a worker is told at its start. ``mailbox`` is the handle of a ``Mailbox``."""

    handle: Handle
    mailbox: Any
    threads: int


def work(start: Start) -> None:
    """Takes orders from the mailbox and does them, until one is None."""
    prepare_process(start.threads)
    team = Team.joined(ray.train.torch.get_device())
    threading.Thread(target=_stay, args=(start.mailbox, team.rank), daemon=True).start()
    try:
        while (order := ray.get(start.mailbox.take.remote(team.rank))) is not None:
            _tell(start, Message(team.rank, _do(start, order, team), is_last=True))
    finally:
        close_node_cache()


def _do(start: Start, order: tuple[Any], team: Team) -> bytes:
    """Does an order; the pickled error that ended it, or nothing. An error ends the order, not the worker."""
    try:
        for row in start.handle(ray.get(order[0]), team):
            if team.rank == 0:
                _tell(start, Message(0, pickle.dumps(row), is_last=False))
    except Exception as error:
        error.add_note(traceback.format_exc())  # frames do not survive pickling
        return pickle.dumps(error)
    return b""


def _stay(mailbox: Any, rank: int) -> None:
    """Ends the process with its mailbox, whatever its other threads wait for."""
    try:
        ray.get(mailbox.stay.remote(rank))
    finally:
        os._exit(1)


def _tell(start: Start, message: Message) -> None:
    ray.get(start.mailbox.tell.remote(message))
