"""Parquet files that hold the images themselves: Hugging Face's form, and ingested data sets."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.bounded import open_bounded, read_images, read_texts
from translearn.data.formats.reader import MAX_BYTES, did_you_mean, distinct, listing_table, unlabelled
from translearn.data.ingest.schema import SPLIT_NAMES
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder

_PREFIX = re.compile(rf"^({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})(?![A-Za-z0-9])")


@dataclass(frozen=True)
class ParquetImages:
    """Parquet files with the columns ``image`` (struct of bytes and path, or binary) and ``label``.

    A label is a string or an integer, whose name is in the ``huggingface`` metadata if there is any;
    null and negative mean none. An id is ``<split>/<row>``, unless there is a column ``id``.

    Attributes:
        folder: The folder of the files.
        files: (split, file name) in order; split ``all`` where the files do not say.
        classes: The names of integer labels, where known from elsewhere than the files.
        labelled: False to list the images without labels, which the files then need not have.
    """

    folder: Folder
    files: tuple[tuple[str, str], ...]
    classes: tuple[str, ...] = ()
    labelled: bool = True

    @classmethod
    def of(cls, folder: Folder, names: Sequence[str], labelled: bool = True) -> ParquetImages:
        """Return the reader of files whose names all begin with a split (train-, validation-, test-) or none."""
        found = {name: match[1] for name in names if (match := _PREFIX.match(name))}
        if found and len(found) < len(names):
            rule, others = "must all begin with a split (train-, validation-, test-) or none", set(names) - set(found)
            raise DataError(fault(f"{folder.uri}: file names", rule, sorted(others), "Rename or move these files."))
        files = tuple((SPLIT_NAMES[found[name]] if found else "all", name) for name in names)
        return cls(folder, files, labelled=labelled)

    @property
    def is_local(self) -> bool:
        """True where the files lie on this machine's disk."""
        return self.folder.is_local

    def listing(self) -> pa.Table:
        """See ``Reader``. Reads the label columns only."""
        tables, starts = [], {split: 0 for split, _ in self.files}
        for split, name in self.files:
            tables.append(self._list_file(split, name, starts[split]))
            starts[split] += len(tables[-1])
        return pa.concat_tables(tables)

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``. A key is ``<file>#<row group>#<row in it>``."""
        for key in keys:
            name, group, row = key.rsplit("#", 2)
            yield _row_group(self.folder.uri, name, int(group))[int(row)]

    def _list_file(self, split: str, name: str, start: int) -> pa.Table:
        file, where = open_parquet(self.folder, name), self.folder.address(name)
        raise_faults(_column_faults(where, file.schema_arrow, self.labelled), DataError)
        columns = [column for column in self._columns() if column in file.schema_arrow.names]
        with _whole(where):
            table = read_texts(self.folder, name, columns)
        num = file.metadata.num_rows
        ids = table["id"].to_pylist() if "id" in columns else [f"{split}/{start + row}" for row in range(num)]
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        keys = [f"{name}#{group}#{row}" for group, size in enumerate(sizes) for row in range(size)]
        if not self.labelled:
            return unlabelled(ids, keys)
        labels = _label_names(where, table["label"].to_pylist(), self.classes or _class_label(where, file.schema_arrow))
        return listing_table(ids, labels, ["train" if split == "all" else split] * len(ids), keys)

    def _columns(self) -> tuple[str, ...]:
        return ("label", "id") if self.labelled else ("id",)


def open_parquet(folder: Folder, name: str) -> pq.ParquetFile:
    """Open a Parquet file by its footer. Raises DataError where it is none, or has too many rows."""
    with _whole(folder.address(name)):
        return open_bounded(folder, name)


@contextmanager
def _whole(where: str) -> Iterator[None]:
    """Raise DataError for a damaged Parquet file: damage shows at the footer, or only at the pages."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        rule, remedy = "must be a whole Parquet file", "Copy it again."
        raise DataError(fault(where, rule, f"an error ({str(error).splitlines()[0]})", remedy)) from error


# Batches follow each other within a row group, so the last one is kept.
@functools.lru_cache(maxsize=1)
def _row_group(uri: str, name: str, group: int) -> list[bytes | str]:
    """Return the encoded bytes of each row's image, or the reason why there are none."""
    folder = Folder.open(uri)
    with _whole(folder.address(name)):
        images = read_images(open_parquet(folder, name), group, folder.address(name))
        return [_content(image.as_py()) for image in images]


def _content(image: dict[str, bytes | None] | bytes | None) -> bytes | str:
    content = image.get("bytes") if isinstance(image, dict) else image
    if content is None:
        return "has no bytes"
    return content if len(content) <= MAX_BYTES else f"has {len(content)} bytes, more than {MAX_BYTES}"


def _column_faults(where: str, schema: pa.Schema, labelled: bool) -> list[str]:
    faults = [
        fault(where, f"must have a column {column!r}", schema.names, did_you_mean(column, schema.names))
        for column in (("image", "label") if labelled else ("image",))
        if column not in schema.names
    ]
    if faults:
        return faults
    if not _holds_bytes(kind := schema.field("image").type):
        faults.append(fault(f"{where}: image", "must be a struct with bytes, or binary", kind, ""))
    if labelled and not (pa.types.is_integer(kind := schema.field("label").type) or _is_text(kind)):
        faults.append(fault(f"{where}: label", "must be an integer or a string", kind, ""))
    if "id" in schema.names and not _is_text(schema.field("id").type):
        remedy = "Rename the column: without one, rows are numbered."
        faults.append(fault(f"{where}: id", "must be a string", schema.field("id").type, remedy))
    return faults


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_label(where: str, schema: pa.Schema) -> tuple[str, ...]:
    try:
        node = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (ValueError, RecursionError):
        node = None
    for key in ("info", "features", "label"):
        node = node.get(key, {}) if isinstance(node, dict) else None
    names = (node.get("names") or []) if isinstance(node, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        rule, remedy = "must be a mapping with the names of the classes, or missing", "Delete or mend this metadata."
        raise DataError(fault(f"{where}: huggingface metadata", rule, "something else", remedy))
    return tuple(distinct(names))


def _label_names(where: str, labels: Sequence[int | str | None], names: Sequence[str]) -> list[str | None]:
    outside = sorted({label for label in labels if isinstance(label, int) and names and label >= len(names)})
    if outside:
        raise DataError(fault(f"{where}: label", f"must be below {len(names)}, the number of names", outside, ""))
    return [_label_name(label, names) for label in labels]


def _label_name(label: int | str | None, names: Sequence[str]) -> str | None:
    if isinstance(label, int):
        return None if label < 0 else names[label] if names else str(label)
    return label.strip() or None if label is not None else None
