"""Writer of Parquet shards of bounded size, so that memory does not grow with the data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from translearn.data.ingest.schema import ROWS
from translearn.data.manifest import Shard
from translearn.storage.folder import Folder

_ROW_GROUP = 1024
_COMPRESSION = {name: "none" if name == "image" else "zstd" for name in ROWS.names}  # images are compressed


@dataclass
class ShardWriter:
    """Writer that collects rows and writes a shard ``<split>-00000.parquet`` whenever one is full.

    Where a shard ends depends on its rows alone, not on the tables in which they came.

    Attributes:
        folder: The folder of the shards.
        max_rows: The most rows of a shard.
        max_bytes: The most bytes of images of a shard, unless one image alone has more.
        shards: The shards written so far.
    """

    folder: Folder
    max_rows: int = 8192
    max_bytes: int = 64 * 2**20
    shards: list[Shard] = field(default_factory=list)
    _pending: list[pa.Table] = field(default_factory=list)
    _num_rows: int = 0
    _num_bytes: int = 0

    def add(self, rows: pa.Table) -> None:
        """Add rows of schema ``ROWS`` of one split; the splits come one after the other."""
        if self._pending and self._pending[0]["split"][0] != rows["split"][0]:
            self.flush()
        start = 0
        for row, size in enumerate(pc.binary_length(rows["image"]).to_pylist()):
            if self._num_rows == self.max_rows or (self._num_rows and self._num_bytes + size > self.max_bytes):
                self._pending.append(rows.slice(start, row - start))
                self.flush()
                start = row
            self._num_rows, self._num_bytes = self._num_rows + 1, self._num_bytes + size
        self._pending.append(rows.slice(start))

    def flush(self) -> None:
        """Write the pending rows, if any."""
        if not self._num_rows:
            return
        table = pa.concat_tables(self._pending).combine_chunks()
        self._pending = []  # combining has copied them
        split = table["split"][0].as_py()
        name = f"{split}-{sum(shard.split == split for shard in self.shards):05d}.parquet"
        content = _parquet(table)
        self.folder.write_bytes(name, content)
        self.shards.append(Shard(file=name, split=split, rows=len(table), sha256=hashlib.sha256(content).hexdigest()))
        self._num_rows, self._num_bytes = 0, 0


def by_split(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield runs of rows of one split, in order; nothing for an empty table."""
    splits = rows["split"].to_pylist()
    starts = [row for row in range(len(splits)) if row == 0 or splits[row] != splits[row - 1]]
    for start, end in pairwise([*starts, len(splits)]):
        yield rows.slice(start, end - start)


def _parquet(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=_ROW_GROUP,
        compression=_COMPRESSION,
        use_dictionary=["split", "label"],
        write_statistics=["id", "split", "label"],
    )
    return memoryview(sink.getvalue())
