"""Images decoded when they are read, from where they lie in the Parquet shards: nothing decoded is kept.

A shard stores its images uncompressed, one after the other, so each can be read alone, by its place in the file.
"""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.decode import Selection, decode_image, num_threads
from translearn.data.examples import as_rows
from translearn.data.manifest import Shard
from translearn.data.selected import SelectedImages
from translearn.errors import DataError, fault


@dataclass(frozen=True, eq=False)
class StreamedImages(SelectedImages):
    """Images that are decoded at each reading.

    Attributes:
        files: Paths of the split's shards on the data set's file system.
        places: int64, shape (N, 3): the number of each image's file, its first byte there, and how many it has.
    """

    files: tuple[str, ...]
    places: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """The images in these rows, read and decoded in parallel."""
        wanted = self.places[as_rows(rows, len(self))]
        images = np.empty((len(wanted), *self.shape[1:]), dtype=np.uint8)
        with ThreadPoolExecutor(num_threads()) as pool:
            for row, image in enumerate(pool.map(self._decode, wanted)):
                images[row] = image
        return images

    def _decode(self, place: np.ndarray) -> np.ndarray:
        file, first, length = place.tolist()
        with self.selection.dataset.folder.fs.open_input_file(self.files[file]) as stream:
            content = stream.read_at(length, first)
        return decode_image(content, self.selection.image_size, self.selection.max_pixels)


def stream(selection: Selection) -> StreamedImages:
    """Finds every image in its shard, in one pass over the files, and checks their checksums.

    Raises:
        DataError: A shard is damaged, or was not written by ``translearn ingest``.
    """
    folder = selection.dataset.folder
    shards = selection.dataset.shards(selection.split)
    places = [
        np.column_stack([np.full(len(rows), file), _places(selection, shard)[rows]])
        for file, (shard, rows) in enumerate(zip(shards, selection.per_shard(), strict=True))
        if len(rows)
    ]
    return StreamedImages(selection, tuple(folder.file(shard.file) for shard in shards), np.concatenate(places))


def _places(selection: Selection, shard: Shard) -> np.ndarray:
    """int64, shape (rows of the shard, 2): first byte and length of each image; found by its very bytes."""
    content, places, end = selection.dataset.content(shard), [], 0
    for image in pq.read_table(pa.BufferReader(content), columns=["image"])["image"]:
        # Parquet's plain encoding: the length, little endian, then the bytes.
        value = image.as_py()
        start = content.find(struct.pack("<I", len(value)) + value, end)
        if start < 0:
            where, rule = selection.dataset.folder.address(shard.file), "must hold its images uncompressed"
            raise DataError(fault(where, rule, "another encoding", "Ingest again, or set target.images to memory."))
        places.append((start + 4, len(value)))
        end = start + 4 + len(value)
    return np.array(places, dtype=np.int64).reshape(-1, 2)
