"""Prefetching: a thread prepares the next batch, in the same order, during computation on the present one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = tuple[torch.Tensor, ...]
_Item = TypeVar("_Item")
_Ready = TypeVar("_Ready")


def ahead(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield the same batches in the same order, on the device.

    On a GPU one batch is read ahead in a thread and copied from pinned memory on a stream of its own. On a CPU the
    batches pass unchanged, in the caller's thread: every core computes already.

    Args:
        batches: Tuples of tensors in CPU memory. On a GPU it is iterated in another thread, so it must not use
            torch's global generators.
        device: The device of the yielded tensors.
    """
    if device.type != "cuda":
        yield from batches
        return
    stream = torch.cuda.Stream(device)
    for batch, copied in read_ahead(batches, lambda batch: _send(batch, device, stream)):
        now = torch.cuda.current_stream(device)
        now.wait_event(copied)
        for tensor in batch:
            tensor.record_stream(now)  # else its memory could be given to the next copy too early
        yield batch


def read_ahead(items: Iterable[_Item], prepare: Callable[[_Item], _Ready]) -> Iterator[_Ready]:
    """Yield ``prepare`` of each item, in order, from a thread that is one item ahead; raise errors in their place."""
    iterator = iter(items)

    def following() -> list[_Ready]:
        return [prepare(item) for item in _first(iterator)]

    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(following)
        while ready := upcoming.result():
            upcoming = thread.submit(following)
            yield ready[0]


def _first(iterator: Iterator[_Item]) -> list[_Item]:
    for item in iterator:
        return [item]
    return []


def _send(batch: Batch, device: torch.device, stream: torch.cuda.Stream) -> tuple[Batch, torch.cuda.Event]:
    with torch.cuda.stream(stream):
        sent = tuple(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch)
        return sent, stream.record_event()
