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

from translearn.cluster.each_node import in_turn, nodes_with_cpus
from translearn.cluster.tracking.progress import followed
from translearn.data.images.decode import Selection, decoded
from translearn.data.images.examples import as_rows, gather
from translearn.data.images.selected import SelectedImages

_PART_BYTES = 256 * 2**20  # below, starting a task takes longer than it saves


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
        """Return the images in these rows, copied out of the node's object store."""
        return gather(self._views, np.cumsum(self.lengths), as_rows(rows, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredImages, (self.selection, self.parts, self.lengths)

    @cached_property
    def _views(self) -> list[np.ndarray]:
        return list(ray.get(list(self.parts)))


def store(selection: Selection, part_bytes: int = _PART_BYTES) -> StoredImages:
    """Decode a selection in parallel tasks, one a CPU, and wait until they are done.

    A data set in a local folder is decoded on this node where it has CPUs: others need not have the folder. Ray is told
    of no CPU: whatever it makes again after a node was lost would wait for one that trials hold, and they for it.

    Raises:
        DataError: A shard is damaged.
    """
    num_parts = len(list(_ranges(selection, part_bytes)))
    started = followed(([ref] for ref in _started(selection, part_bytes)), num_parts, "parts of the images decoded")
    refs = [ref for (ref,) in started]
    try:
        lengths = ray.get([length for length, _ in refs])
    except RayTaskError as error:
        raise error.cause from None
    return StoredImages(selection, tuple(part for _, part in refs), tuple(lengths))


def _started(selection: Selection, part_bytes: int) -> Iterator[tuple[Any, Any]]:
    """Yield references to the length and the images of each part; a part starts where another has ended."""
    shared, task = ray.put(selection), ray.remote(num_cpus=0, num_returns=2)(_decode)
    running, free = dict[Any, str](), _homes(selection)
    for first, last in _ranges(selection, part_bytes):
        if not free:
            (done,), _ = ray.wait(list(running))
            free.append(running.pop(done))
        home = free.pop(0)
        there = NodeAffinitySchedulingStrategy(home, soft=True)
        length, part = task.options(scheduling_strategy=there).remote(shared, first, last)
        running[length] = home
        yield length, part


def _decode(selection: Selection, first: int, last: int) -> tuple[int, np.ndarray]:
    images = np.concatenate(list(decoded(selection, slice(first, last), threads=1)))
    return len(images), images


def _ranges(selection: Selection, part_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of shards that have images, each of as many bytes as asked for, or a little more."""
    per_image, first, num = selection.nbytes // len(selection.rows), 0, 0
    counts = [len(rows) for rows in selection.per_shard()]
    for last, count in enumerate(counts, 1):
        num += count
        if num and (num * per_image >= part_bytes or last == len(counts)):
            yield first, last
            first, num = last, 0


def _homes(selection: Selection) -> list[str]:
    """Yield the nodes where parts are decoded, in turn, each as often as it has CPUs."""
    nodes, here = nodes_with_cpus(), ray.get_runtime_context().get_node_id()
    if selection.dataset.folder.is_local:
        nodes = [node for node in nodes if node["NodeID"] == here] or nodes
    return in_turn({node["NodeID"]: max(1, int(node["Resources"]["CPU"])) for node in nodes}) or [here]
