"""Decoded images in Ray's object store: made by tasks, so that Ray makes again what is lost with a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from translearn.data.decode import Selection, decoded
from translearn.data.examples import as_rows, gather
from translearn.data.selected import SelectedImages

_PART_BYTES = 256 * 2**20  # below, starting a task takes longer than it saves
_CPUS = 1  # of a task


@dataclass(frozen=True, eq=False)
class StoredImages(SelectedImages):
    """Images in the object store, in consecutive parts; pickles as the selection and references.

    Attributes:
        parts: An ObjectRef of each part.
        lengths: Images of each part.
    """

    parts: tuple[Any, ...]
    lengths: tuple[int, ...]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """The images in these rows, copied out of the node's object store."""
        return gather(self._views, np.cumsum(self.lengths), as_rows(rows, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredImages, (self.selection, self.parts, self.lengths)

    @cached_property
    def _views(self) -> list[np.ndarray]:
        return list(ray.get(list(self.parts)))


def store(selection: Selection, part_bytes: int = _PART_BYTES) -> StoredImages:
    """Decodes a selection in parallel tasks, and waits until they are done.

    A data set in a local folder is decoded on this node where it has CPUs: others need not have the folder.

    Raises:
        DataError: A shard is damaged.
    """
    shared, ranges = ray.put(selection), list(_ranges(selection, part_bytes))
    task = ray.remote(num_cpus=_CPUS, num_returns=2)(_decode).options(**_strategy(selection))
    refs = [task.remote(shared, first, last) for first, last in ranges]
    try:
        lengths = ray.get([length for length, _ in refs])
    except RayTaskError as error:
        raise error.cause from None
    return StoredImages(selection, tuple(part for _, part in refs), tuple(lengths))


def _decode(selection: Selection, first: int, last: int) -> tuple[int, np.ndarray]:
    images = np.concatenate(list(decoded(selection, slice(first, last), threads=_CPUS)))
    return len(images), images


def _ranges(selection: Selection, part_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of shards that have images, each of as many bytes as asked for, or a little more."""
    per_image, first, num = selection.nbytes // len(selection.rows), 0, 0
    counts = [len(rows) for rows in selection.per_shard()]
    for last, count in enumerate(counts, 1):
        num += count
        if num and (num * per_image >= part_bytes or last == len(counts)):
            yield first, last
            first, num = last, 0


def _strategy(selection: Selection) -> dict[str, Any]:
    if not selection.dataset.folder.is_local:
        return {}
    here = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=True)}
