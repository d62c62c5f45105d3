"""Predictions for many images: read, decoded and classified as a stream, in the order of their listing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from translearn.data.formats.reader import Reader
from translearn.data.images.decode import num_threads
from translearn.data.prefetch import read_ahead
from translearn.deploy.model import Model
from translearn.deploy.predictions import table_of

_READ_AT_ONCE = 32  # encoded images in memory, times two

_Block = tuple[pa.Table, list[np.ndarray | str]]


def predicted(model: Model, reader: Reader, listing: pa.Table, top: int | None = None) -> Iterator[pa.Table]:
    """Yield the predictions for all images of a listing, in order, a batch at a time.

    Reading and decoding go on during computation; memory holds some batches, whatever the number of images.

    Args:
        model: The model.
        reader: Reads an image's bytes by its key.
        listing: Rows of schema ``LISTING``.
        top: As for ``predictions.schema``.

    Yields:
        Tables of ``predictions.schema``; an image that cannot be read has a reason.
    """
    for rows, images in decoded_blocks(model, reader, listing):
        yield _classified(model, rows["id"].to_pylist(), images, top)


def decoded_blocks(model: Model, reader: Reader, listing: pa.Table) -> Iterator[_Block]:
    """Yield the rows of a listing, a batch at a time, with their preprocessed images, or reasons why there are none.

    A thread reads ahead and others decode.
    """
    with ThreadPoolExecutor(num_threads()) as pool:

        def block(rows: pa.Table) -> _Block:
            return rows, list(_decoded(model, reader, rows["key"].to_pylist(), pool))

        yield from read_ahead(_slices(listing, model.batch_size), block)


def _decoded(model: Model, reader: Reader, keys: list[str], pool: ThreadPoolExecutor) -> Iterator[np.ndarray | str]:
    chunks = (keys[first : first + _READ_AT_ONCE] for first in range(0, len(keys), _READ_AT_ONCE))
    for contents in read_ahead(chunks, lambda chunk: list(reader.read(chunk))):
        yield from pool.map(model.decoded, contents)


def _classified(model: Model, ids: Sequence[str], images: list[np.ndarray | str], top: int | None) -> pa.Table:
    good = [row for row, image in enumerate(images) if not isinstance(image, str)]
    probabilities_NC = np.zeros((len(ids), len(model.classes)), dtype=np.float32)
    if good:
        probabilities_NC[good] = model.probabilities(np.stack([np.asarray(images[row]) for row in good]))
    reasons = [image if isinstance(image, str) else None for image in images]
    return table_of(model.classes, ids, probabilities_NC, reasons, top)


def _slices(table: pa.Table, num_rows: int) -> Iterator[pa.Table]:
    return (table.slice(first, num_rows) for first in range(0, len(table), num_rows))
