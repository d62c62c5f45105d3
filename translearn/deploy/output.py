"""Files of predictions, written table by table: CSV, Parquet, or a JSON array of objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

Write = Callable[[pa.Table], None]


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pacsv.CSVWriter(path, schema) as writer:
        yield writer.write_table


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_table


@contextmanager
def _json(path: Path, schema: pa.Schema) -> Iterator[Write]:
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    with open(path, "w", encoding="utf-8") as stream:
        between = "[\n"

        def write(table: pa.Table) -> None:
            nonlocal between
            for row in table.to_pylist():
                shortest = {name: _shortest(row[name]) for name in floats}
                stream.write(between + json.dumps({**row, **shortest}, ensure_ascii=False))
                between = ",\n"

        yield write
        stream.write("[]\n" if between == "[\n" else "\n]\n")


def _shortest(value: float | None) -> float | None:
    """Return the number of the fewest digits that is the same as float32."""
    return None if value is None else float(f"{value:.9g}")


def writer(path: Path, name: str, schema: pa.Schema) -> AbstractContextManager[Write]:
    """Return what writes tables of a schema to a path, for the time of a block; the ending of ``name`` says how."""
    return WRITERS[PurePosixPath(name).suffix](path, schema)


#: The ending of a file to its writer.
WRITERS: dict[str, Callable[[Path, pa.Schema], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
}
