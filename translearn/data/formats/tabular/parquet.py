"""Parquet files that hold the images themselves: Hugging Face's form, and ingested data sets."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from translearn.data.bounded import open_bounded, read_images, read_texts
from translearn.data.formats.reader import MAX_BYTES, in_order, listing_table, unlabelled
from translearn.data.formats.tabular.labels import class_names, is_id, labels_in, names_in
from translearn.data.formats.tabular.parquet_columns import are_ids, column_faults, numbered
from translearn.data.ingest.schema import LISTING, split_of
from translearn.data.notes import Note, note, noted
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder


@dataclass(frozen=True)
class ParquetImages:
    """Parquet files with the columns ``image`` (struct of bytes and path, or binary) and ``label``.

    A label is a text or a whole number, whose name is in the ``huggingface`` metadata if there is any;
    null and negative mean none. An id is ``<split>/<row>``, unless a column ``id`` has others, which
    are unique within a split; a column ``group`` gives the groups.

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
        """Return the reader of files whose names all speak of a split (train-, validation-, test-) or none.

        A single file is all that there is, whatever it is called.
        """
        found = {name: split for name in names if len(names) > 1 and (split := split_of(name))}
        if found and len(found) < len(names):
            rule, others = "must all speak of a split (train-, validation-, test-) or none", set(names) - set(found)
            raise DataError(fault(f"{folder.uri}: file names", rule, sorted(others), "Rename or move these files."))
        files = tuple((found.get(name, "all"), name) for name in names)
        return cls(folder, files, labelled=labelled)

    @property
    def is_local(self) -> bool:
        """True where the files lie on this machine's disk."""
        return self.folder.is_local

    def listing(self) -> pa.Table:
        """See ``Reader``. Reads the columns of labels and ids only."""
        tables = [self._list_file(split, name) for split, name in self.files]
        listing, splits = pa.concat_tables(tables), [split for split, _ in self.files]
        prefixes = pa.concat_arrays([pa.repeat(split, len(t)) for split, t in zip(splits, tables, strict=True)])
        has_ids = are_ids(listing["id"], prefixes)
        if not has_ids:
            listing = listing.set_column(0, LISTING.field("id"), numbered(prefixes))
        return noted(in_order(listing, self._class_order()), self._notes(has_ids))

    def _notes(self, has_ids: bool) -> list[Note]:
        """Return which columns that have a meaning elsewhere are not taken."""
        schemas = {name: open_parquet(self.folder, name).schema_arrow for _, name in self.files}
        with_paths = [name for name, schema in schemas.items() if "path" in schema.names]
        with_ids = [name for name, schema in schemas.items() if "id" in schema.names and not has_ids]
        return [
            *note("files whose column path is not read, as the images are in the file", with_paths),
            *note("files whose column id is not read, as it does not tell rows apart", with_ids),
        ]

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``. A key is ``<file>#<row group>#<row in it>``."""
        for key in keys:
            name, group, row = key.rsplit("#", 2)
            yield _row_group(self.folder.uri, name, int(group))[int(row)]

    def _list_file(self, split: str, name: str) -> pa.Table:
        """Return the rows of a file; their ids are null where it has none."""
        file, where = open_parquet(self.folder, name), self.folder.address(name)
        raise_faults(column_faults(where, file.schema_arrow, self.labelled), DataError)
        columns = self._columns(file.schema_arrow)
        with _whole(where):
            table = read_texts(self.folder, name, columns) if columns else pa.table({})
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        num = _agreed(where, file.metadata.num_rows, sum(sizes), *([len(table)] if columns else []))
        ids = names_in(f"{where}: id", table["id"]) if "id" in columns else pa.nulls(num, pa.string())
        keys = [f"{name}#{group}#{row}" for group, size in enumerate(sizes) for row in range(size)]
        if not self.labelled:
            return unlabelled(ids, keys)
        classes = self.classes or class_names(where, file.schema_arrow)
        labels = labels_in(f"{where}: label", table["label"], classes)
        groups = names_in(f"{where}: group", table["group"]) if "group" in columns else None
        return listing_table(ids, labels, ["train" if split == "all" else split] * num, keys, groups)

    def _class_order(self) -> tuple[str, ...]:
        """Return the classes in the order of the names that numbers stand for, where there are names."""
        schemas = [(self.folder.address(name), open_parquet(self.folder, name).schema_arrow) for _, name in self.files]
        return self.classes or next(filter(None, (class_names(*schema) for schema in schemas)), ())

    def _columns(self, schema: pa.Schema) -> list[str]:
        """Return the columns to read: an ``id`` that can be none is not read."""
        has_ids = "id" in schema.names and is_id(schema.field("id").type)
        has_groups = self.labelled and "group" in schema.names
        wanted = {"label": self.labelled, "id": has_ids, "group": has_groups}
        return [name for name, is_wanted in wanted.items() if is_wanted]


def open_parquet(folder: Folder, name: str) -> pq.ParquetFile:
    """Open a Parquet file by its footer. Raises DataError where it is none, or has too many rows."""
    with _whole(folder.address(name)):
        return open_bounded(folder, name)


def _agreed(where: str, num: int, *others: int) -> int:
    """Return a number of rows on which the footer, its row groups and the columns agree."""
    if {*others} - {num}:
        raise DataError(_damaged(where, f"{num} rows that are {' and '.join(map(str, others))} elsewhere in it"))
    return num


def _damaged(where: str, got: str) -> str:
    return fault(where, "must be a whole Parquet file", got, "Copy it again.")


@contextmanager
def _whole(where: str) -> Iterator[None]:
    """Raise DataError for a damaged Parquet file: damage shows at the footer, or only at the pages."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(where, f"an error ({str(error).splitlines()[0]})")) from error


# Batches follow each other within a row group, so the last one is kept.
@functools.lru_cache(maxsize=1)
def _row_group(uri: str, name: str, group: int) -> list[bytes | str]:
    """Return the encoded bytes of each row's image, or the reason why there are none."""
    folder = Folder.open(uri)
    file, where = open_parquet(folder, name), folder.address(name)
    with _whole(where):
        found = [_content(image.as_py()) for image in read_images(file, group, where)]
    _agreed(where, file.metadata.row_group(group).num_rows, len(found))
    return found


def _content(image: dict[str, Any] | bytes | None) -> bytes | str:
    content = image.get("bytes") if isinstance(image, dict) else image
    if content is None:
        path = image.get("path") if isinstance(image, dict) else None
        return f"has no bytes, only the path {path!r}" if path else "has no bytes"
    return content if len(content) <= MAX_BYTES else f"has {len(content)} bytes, more than {MAX_BYTES}"
