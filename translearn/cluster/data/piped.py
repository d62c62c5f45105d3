"""Images that Ray Data reads from their shards and decodes ahead of the training, on CPUs anywhere in the cluster."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.data import ExecutionResources

from translearn.cluster.data.pinned import here_if_local
from translearn.data.images.image_set import ImageSet
from translearn.data.images.selected import SelectedImages
from translearn.data.images.streamed import ShardReader, StreamedImages

_TASK_CPUS = 0.5  # fits into what ``train_jobs`` spares on a node with one CPU
_MIN_IMAGES = 10_000  # below, Ray Data takes longer to start in each epoch than it saves
_TASK_BYTES, _AHEAD_BYTES = 32 * 2**20, 256 * 2**20


@dataclass(frozen=True, eq=False)
class PipedImages(SelectedImages):
    """Streamed images that are read ahead where their order is known: a worker's part of an epoch.

    Attributes:
        streamed: The images, each at its place in a shard.
    """

    streamed: StreamedImages

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the images in these rows, read and decoded here and now."""
        return self.streamed[rows]

    def in_order(self, blocks: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the images of each block of rows, in turn, from a pipeline of Ray Data.

        The order is given, and Ray Data keeps it, so an epoch is the same at any number of workers and can begin at any
        step. Memory holds what is read ahead, at most 256 MiB of the object store, whatever the size of the data set.
        """
        if not len(blocks):
            return
        places = self.streamed.places[np.concatenate(blocks)]
        yield from reblocked(_decoded(self.streamed.reader, places), [len(block) for block in blocks], self.shape[1:])


def piped(images: ImageSet) -> ImageSet:
    """Streamed images, read ahead where there are enough of them; any others as they are."""
    if not isinstance(images.images, StreamedImages) or len(images) < _MIN_IMAGES:
        return images
    return dataclasses.replace(images, images=PipedImages(images.images.selection, images.images))


def is_piped(images: ImageSet) -> bool:
    """Return whether reading these images takes CPUs besides the reader's own."""
    return isinstance(images.images, PipedImages)


def reblocked(arrays: Iterable[np.ndarray], lengths: Sequence[int], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the rows of consecutive uint8 arrays, copied into arrays of other lengths.

    Args:
        arrays: Each of shape (n, *shape).
        lengths: Those wanted; their sum is at most the number of rows.
        shape: That of a row.
    """
    coming, left = iter(arrays), np.empty((0, *shape), dtype=np.uint8)
    for length in lengths:
        block, done = np.empty((length, *shape), dtype=np.uint8), 0
        while done < length:
            left = left if len(left) else next(coming)
            num = min(len(left), length - done)
            block[done : done + num] = left[:num]
            left, done = left[num:], done + num
        yield block


def _decoded(reader: ShardReader, places_N3: np.ndarray) -> Iterator[np.ndarray]:
    """uint8 arrays of shape (n, S, S, 3), together N images in the order of their places."""
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    num = max(1, _TASK_BYTES // (3 * reader.image_size**2))
    tasks = ray.data.from_arrow(
        [pa.table({"place": list(places_N3[first : first + num])}) for first in range(0, len(places_N3), num)]
    )
    options = tasks.context.execution_options
    options.preserve_order, options.verbose_progress = True, False
    options.resource_limits = ExecutionResources.for_limits(object_store_memory=_AHEAD_BYTES)
    tasks.context.enable_progress_bars = False
    images = tasks.map_batches(
        _read,
        fn_args=(reader,),
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=_TASK_CPUS,
        **here_if_local(reader.folder.is_local),
    )
    for batch in images.iter_batches(batch_size=None, batch_format="numpy"):
        yield batch["image"]


def _read(table: pa.Table, reader: ShardReader) -> dict[str, Any]:
    return {"image": reader.read(np.array(table["place"].to_pylist(), dtype=np.int64))}
