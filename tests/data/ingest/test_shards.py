"""Shards are bounded, in order, and the same however their rows arrived."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.data.ingest.schema import ROWS
from translearn.data.ingest.shards import ShardWriter, by_split
from translearn.storage.folder import Folder


def _rows(sizes: list[int]) -> pa.Table:
    splits = ["test" if index < len(sizes) // 3 else "train" for index in range(len(sizes))]
    records = [
        {"id": str(index), "split": split, "label": 0, "image": b"x" * size, "digest": str(index)}
        for index, (size, split) in enumerate(zip(sizes, splits, strict=True))
    ]
    return pa.Table.from_pylist(records, schema=ROWS)


def _write(folder: Folder, rows: pa.Table, cut: int) -> list:
    writer = ShardWriter(folder, max_rows=4, max_bytes=100)
    for start in range(0, len(rows), cut):
        for run in by_split(rows.slice(start, cut)):
            writer.add(run)
    writer.flush()
    return writer.shards


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=30), st.integers(1, 30))
def test_shards_do_not_depend_on_the_tables_they_came_in(tmp_path_factory, sizes, cut):
    folder = Folder.open(tmp_path_factory.mktemp("shards"))
    rows = _rows(sizes)
    shards = _write(folder, rows, cut)
    assert shards == _write(folder, rows, len(rows))
    tables = [pq.read_table(folder.file(shard.file)) for shard in shards]
    assert pa.concat_tables(tables).to_pylist() == rows.to_pylist()
    for shard, table in zip(shards, tables, strict=True):
        assert table.schema == ROWS
        assert set(table["split"].to_pylist()) == {shard.split}
        assert len(table) == shard.rows <= 4
        assert len(table) == 1 or sum(len(image) for image in table["image"].to_pylist()) <= 100
