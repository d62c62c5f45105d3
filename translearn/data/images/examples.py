"""Arrays over examples that need not lie in this process's memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


class Examples(Protocol):
    """An array whose first axis counts examples, indexed by rows alone. ``np.ndarray`` is one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


@runtime_checkable
class Ordered(Protocol):
    """Examples that can be read ahead where the order of reading is known."""

    def in_order(self, blocks: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the examples of each block of rows, in turn."""
        ...


def in_order(examples: Examples, blocks: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Return the examples of each block of rows, in turn, read ahead where these examples can be."""
    return examples.in_order(blocks) if isinstance(examples, Ordered) else (examples[rows] for rows in blocks)


@dataclass(frozen=True, eq=False)
class View:
    """Some rows of an array over examples, without copying it.

    Attributes:
        whole: The array.
        rows: int64, shape (n,), in [0, N): which of its examples, in this order.
    """

    whole: Examples
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.whole.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.whole.dtype

    @property
    def ndim(self) -> int:
        return self.whole.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        return self.whole[self.rows[rows]]


def gather(parts: Sequence[Examples], ends: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the examples in these rows, in this order, of an array that lies in consecutive parts.

    Args:
        parts: The parts, alike but for their lengths.
        ends: int64, shape (P,): the cumulative lengths.
        rows: Integers, shape (n,), in [0, ends[-1]).

    Returns:
        A new array, shape (n, ...).

    Raises:
        IndexError: A row is outside.
    """
    if len(rows) and not (rows.min() >= 0 and rows.max() < ends[-1]):
        raise IndexError(f"rows must be in [0, {ends[-1]}), but are in [{rows.min()}, {rows.max()}]")
    gathered = np.empty((len(rows), *parts[0].shape[1:]), dtype=parts[0].dtype)
    owner = np.searchsorted(ends, rows, side="right")
    for index in np.unique(owner):
        mine = np.flatnonzero(owner == index)
        gathered[mine] = parts[index][rows[mine] - (ends[index] - len(parts[index]))]
    return gathered


def as_rows(rows: np.ndarray | slice, num: int) -> np.ndarray:
    """Return rows as integers, from a slice or a mask over ``num`` examples, or from integers."""
    if isinstance(rows, slice):
        return np.arange(num)[rows]
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows
