"""A stored boundary: mapped arrays, one after another, each written by whichever process came to it first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from translearn.data.images.examples import as_rows, gather
from translearn.data.images.mapped import MappedArray


@dataclass(frozen=True, eq=False)
class Joined:
    """Mapped arrays as one array over examples. Read-only; valid until its cache is closed.

    Attributes:
        parts: In order, alike but for their lengths; at least one.
    """

    parts: tuple[MappedArray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(self._ends[-1]), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype

    @property
    def ndim(self) -> int:
        return self.parts[0].ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """The examples in these rows, in this order, in memory of their own."""
        return gather(self.parts, self._ends, as_rows(rows, len(self)))

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([len(part) for part in self.parts], dtype=np.int64)
