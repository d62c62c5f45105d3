"""The base class of arrays of decoded images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn.data.images.decode import Selection


@dataclass(frozen=True, eq=False)
class SelectedImages:
    """Decoded images of a selection, uint8, shape (N, S, S, 3); subclasses implement the indexing of ``Examples``.

    Attributes:
        selection: The selection.
    """

    selection: Selection

    @property
    def shape(self) -> tuple[int, ...]:
        return self.selection.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        return 4

    def __len__(self) -> int:
        return self.shape[0]
