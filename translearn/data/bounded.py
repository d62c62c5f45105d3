"""Untrusted Parquet files, read within bounds: a few hundred bytes can stand for any number of rows.

The footer is checked first. It does not bound the size of the values: a value that is stored once and repeated in every
row takes no room in the file. So images are read row by row, and texts in dictionary-encoded batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from translearn.errors import DataError, fault
from translearn.storage.folder import Folder

#: The most rows of a file.
MAX_ROWS = 20_000_000
#: The most bytes that a row group's images, or a file's texts, may unpack to.
MAX_UNPACKED = 2 * 2**30
#: The most bytes of a path, label or id.
MAX_TEXT = 10_000

_BATCH_ROWS = 65_536
_SPLIT = "Write it as several files, or with smaller row groups."


def open_bounded(folder: Folder, name: str, texts: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a Parquet file by its footer, and check its number of rows.

    Args:
        folder: The folder of the file.
        name: Its name.
        texts: Columns that are read dictionary-encoded.

    Raises:
        DataError: It has too many rows.
        Exception: pyarrow's, where the file is damaged.
    """
    file = pq.ParquetFile(folder.file(name), filesystem=folder.fs, read_dictionary=list(texts))
    if file.metadata.num_rows > MAX_ROWS:
        rule, got = f"must have at most {MAX_ROWS:,} rows", f"{file.metadata.num_rows:,}"
        raise DataError(fault(folder.address(name), rule, got, _SPLIT))
    return file


def read_texts(folder: Folder, name: str, columns: Sequence[str]) -> pa.Table:
    """Read columns of text or numbers.

    Raises:
        DataError: As ``open_bounded``; or they are too large.
        pyarrow.ArrowInvalid: They are damaged.
    """
    schema, where = open_bounded(folder, name).schema_arrow, folder.address(name)
    for column in columns:
        check_text(f"{where}: {column}", schema.field(column).type)
    file = open_bounded(folder, name, [column for column in columns if _is_text(schema.field(column).type)])
    _check_unpacked(file, columns, where)
    parts, num_bytes = [], 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
        parts.append(pa.table([_written_out(batch[column], where, column) for column in columns], names=list(columns)))
        parts[-1].validate(full=True)  # damaged text is none in UTF-8
        num_bytes += parts[-1].nbytes
        if num_bytes > MAX_UNPACKED:
            raise _too_large(where)
    return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table().select(list(columns))


def read_images(file: pq.ParquetFile, group: int, where: str) -> Iterator[pa.Scalar]:
    """Yield the values of the column ``image`` in a row group. Raises as ``read_texts``."""
    num_bytes = 0
    for batch in file.iter_batches(batch_size=1, row_groups=[group], columns=["image"]):
        num_bytes += batch.nbytes
        if num_bytes > MAX_UNPACKED:
            raise _too_large(f"{where}: row group {group}")
        yield from batch.column(0)


def check_text(where: str, kind: pa.DataType) -> None:
    """Raise DataError where a column holds anything but text or numbers."""
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(fault(where, "must be text or numbers", str(kind), "Write it as text."))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_unpacked(file: pq.ParquetFile, columns: Sequence[str], where: str) -> None:
    """Check what row groups say of their size, where no other columns count in it, as images do.

    Not what each column says: pyarrow 26 ends the process where a column's entry in the footer is damaged.
    """
    groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    if set(file.schema_arrow.names) <= set(columns) and sum(group.total_byte_size for group in groups) > MAX_UNPACKED:
        raise _too_large(where)


def _written_out(column: pa.Array, where: str, name: str) -> pa.Array:
    """Return a dictionary-encoded column with all texts written out, after checking their lengths."""
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if _is_text(texts.type) and (pc.max(pc.binary_length(texts)).as_py() or 0) > MAX_TEXT:
        rule = f"must be texts of at most {MAX_TEXT:,} bytes"
        raise DataError(fault(f"{where}: {name}", rule, "a longer one", "Shorten or delete it."))
    return column.cast(texts.type) if pa.types.is_dictionary(column.type) else column


def _too_large(where: str) -> DataError:
    return DataError(fault(where, f"must unpack to at most {MAX_UNPACKED:,} bytes", "more", _SPLIT))
