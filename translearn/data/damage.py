"""Check that the files of a data set are whole, by their footers, before hours are spent in vain."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.dataset import Dataset
from translearn.data.manifest import Shard
from translearn.errors import fault

_REMEDY = "It was cut off or replaced: copy the data set again, or ingest again into a new folder."


def damaged_shards(dataset: Dataset) -> list[str]:
    """Return a line for each file that is cut off or has another number of rows than the manifest says.

    Only footers are read, so a changed byte in between is not noticed here: the checksum is, when the file is read.
    """
    found = ((shard, _damage(dataset, shard)) for shard in dataset.manifest.shards)
    return [
        fault(dataset.folder.address(shard.file), f"must be a Parquet file of {shard.rows} rows", got, _REMEDY)
        for shard, got in found
        if got
    ]


def _damage(dataset: Dataset, shard: Shard) -> str | None:
    try:
        num_rows = pq.read_metadata(dataset.folder.file(shard.file), filesystem=dataset.folder.fs).num_rows
    except (pa.ArrowException, OSError) as error:
        return f"something else ({error})"
    return None if num_rows == shard.rows else f"{num_rows} rows"
