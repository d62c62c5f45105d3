"""Images decoded at each read from their positions in the Parquet shards; decoded images are not kept.

A shard stores its images uncompressed, one after the other, so each can be read alone, by its place in the file.
"""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.images.decode import Selection, decode_image, num_threads
from translearn.data.images.examples import as_rows
from translearn.data.images.pixels import Decoding
from translearn.data.images.selected import SelectedImages
from translearn.data.manifest import Shard
from translearn.errors import DataError, fault
from translearn.storage.folder import Folder

_REMOTE_THREADS = 8  # most of the time they wait for an answer


@dataclass(frozen=True)
class ShardReader:
    """Reader that decodes images from their positions in a split's shards.

    Attributes:
        folder: That of the data set.
        files: Paths of the shards on its file system.
        image_size: The side to which images are decoded, in pixels.
        decoding: Of the data set's images.
    """

    folder: Folder
    files: tuple[str, ...]
    image_size: int
    decoding: Decoding

    def read(self, places: np.ndarray) -> np.ndarray:
        """Read and decode images at places as in ``StreamedImages``, in parallel: uint8, shape (n, S, S, 3)."""
        threads = num_threads() if self.folder.is_local else max(num_threads(), _REMOTE_THREADS)
        images = np.empty((len(places), self.image_size, self.image_size, 3), dtype=np.uint8)
        with ThreadPoolExecutor(threads) as pool:
            for row, image in enumerate(pool.map(self._decode, places)):
                images[row] = image
        return images

    def _decode(self, place: np.ndarray) -> np.ndarray:
        file, first, length = place.tolist()
        with self.folder.fs.open_input_file(self.files[file]) as stream:
            content = stream.read_at(length, first)
        return decode_image(content, self.image_size, self.decoding)


@dataclass(frozen=True, eq=False)
class StreamedImages(SelectedImages):
    """Images that are decoded at each read.

    Attributes:
        reader: Reads them.
        places: int64, shape (N, 3): the number of each image's file, its first byte there, and how many it has.
    """

    reader: ShardReader
    places: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Read and decode the images in these rows, in parallel."""
        return self.reader.read(self.places[as_rows(rows, len(self))])


def stream(selection: Selection) -> StreamedImages:
    """Find all images in their shards, in one pass over the files, which checks their checksums.

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
    files = tuple(folder.file(shard.file) for shard in shards)
    reader = ShardReader(folder, files, selection.image_size, selection.decoding)
    return StreamedImages(selection, reader, np.concatenate(places))


def _places(selection: Selection, shard: Shard) -> np.ndarray:
    """Return the first byte and length of each image, found by its bytes: int64, shape (rows of the shard, 2)."""
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
