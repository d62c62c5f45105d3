"""Tables of paths: a CSV or Parquet file that names an image and its label in each row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from translearn.data.bounded import open_bounded, read_texts
from translearn.data.formats.files import FileReader
from translearn.data.formats.reader import did_you_mean, in_order, listing_table, unlabelled
from translearn.data.formats.tabular.labels import class_names, labels_in, names_in
from translearn.data.ingest.schema import SPLIT_NAMES
from translearn.data.notes import note, noted
from translearn.errors import DataError, fault, raise_faults

_COLUMNS = ("path", "label", "split", "group")
_DRIVE = re.compile(r"[A-Za-z]:/")
_HEAD = 10_000  # bytes of a CSV file that hold the names of the columns


@dataclass(frozen=True)
class TableOfPaths(FileReader):
    """A CSV or Parquet file with the columns path, label and, if wanted, split and group.

    Paths lie below the file's folder; an id is the path from there, with slashes. An empty label is no label.

    Attributes:
        name: The file's name.
        labelled: False to read the paths alone.
    """

    name: str
    labelled: bool = True

    def listing(self) -> pa.Table:
        """See ``Reader``."""
        table, classes = self._table()
        ids = self._paths(table)
        if not self.labelled:
            return unlabelled(ids)
        labels = labels_in(f"{self._where}: label", table["label"], classes)
        groups = names_in(f"{self._where}: group", table["group"]) if "group" in table.column_names else None
        listing = in_order(listing_table(ids, labels, self._splits(table), groups=groups), classes)
        return noted(listing, note("paths with backslashes, read as slashes", _windows(table["path"])))

    @property
    def _where(self) -> str:
        return self.folder.address(self.name)

    def _table(self) -> tuple[pa.Table, tuple[str, ...]]:
        """Return the columns that are known, and the names of the classes where labels are numbers."""
        try:
            if self.name.lower().endswith(".parquet"):
                schema = open_bounded(self.folder, self.name).schema_arrow
                self._check_columns(schema.names)
                wanted = [name for name in _COLUMNS if name in schema.names]
                return read_texts(self.folder, self.name, wanted), class_names(self._where, schema)
            table = self._read_csv()
            self._check_columns(table.column_names)
            return table, ()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            first = "path,label[,split][,group]" if self.labelled else "path"
            remedy = f"({error}) The first line of a CSV file names its columns: {first}."
            raise DataError(fault(self._where, "must be a table", "none", remedy)) from error

    def _read_csv(self) -> pa.Table:
        columns = {name: pa.string() for name in _COLUMNS}  # so that a class may be called 007
        convert = pacsv.ConvertOptions(column_types=columns, strings_can_be_null=True, null_values=[""])
        with self.folder.fs.open_input_file(self.folder.file(self.name)) as stream:
            parse = pacsv.ParseOptions(delimiter=_delimiter(stream.read(_HEAD)))
            stream.seek(0)
            return pacsv.read_csv(stream, parse_options=parse, convert_options=convert)

    def _check_columns(self, names: list[str]) -> None:
        faults = [
            fault(self._where, f"must have a column {column!r}", names, did_you_mean(column, names))
            for column in (("path", "label") if self.labelled else ("path",))
            if column not in names
        ]
        raise_faults(faults, DataError)

    def _paths(self, table: pa.Table) -> list[str]:
        """Return the path of each row below the table's folder."""
        paths = names_in(f"{self._where}: path", table["path"])
        if paths.null_count:
            rule = "must have a path in each row"
            remedy = "Delete these rows or fill in the path."
            raise DataError(fault(self._where, rule, f"{paths.null_count} without", remedy))
        found = [self._below(path.replace("\\", "/")) for path in paths.to_pylist()]
        raise_faults(self._outside(found), DataError)
        return found

    def _below(self, path: str) -> str:
        """Return a path as seen from the table's folder, where it lies below it; else as it is."""
        return str(PurePosixPath(path.removeprefix(f"{self.folder.uri.rstrip('/')}/")))

    def _outside(self, paths: list[str]) -> list[str]:
        outside = [path for path in paths if _leads_out(path)]
        if not outside:
            return []
        shown = f"{len(outside)} others: {', '.join(outside[:3])}"
        remedy = "Name them from there, or move the table to a folder above all of its images."
        return [fault(self._where, "must name paths below the table's folder", shown, remedy)]

    def _splits(self, table: pa.Table) -> list[str]:
        if "split" not in table.column_names:
            return ["train"] * len(table)
        names = names_in(f"{self._where}: split", table["split"]).to_pylist()
        words = {name: str(name).strip().casefold() for name in set(names)}
        unknown = sorted(str(name) for name, word in words.items() if word not in SPLIT_NAMES)
        if unknown:
            remedy = did_you_mean(unknown[0], SPLIT_NAMES)
            raise DataError(fault(self._where, "must name known splits", unknown, remedy))
        return [SPLIT_NAMES[words[name]] for name in names]


def _windows(paths: pa.ChunkedArray) -> list[str]:
    """Return the paths with backslashes, as they are."""
    texts = paths.cast(pa.string())
    return list(texts.filter(pc.match_substring(texts, "\\")).to_pylist())


def _leads_out(path: str) -> bool:
    return path.startswith("/") or _DRIVE.match(path) is not None or ".." in path.split("/")


def _delimiter(head: bytes) -> str:
    """Return what stands between the columns of a CSV file: a comma, or where spreadsheets put another, that."""
    first = head.decode("utf-8-sig", "replace").partition("\n")[0]
    names = {mark: [name.strip('" \r') for name in first.split(mark)] for mark in ",;\t"}
    return next((mark for mark, found in names.items() if "path" in found), ",")
