"""Images that are files: folders of class folders, and tables of paths and labels."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.fs as pafs
from PIL import Image

from translearn.data.bounded import check_text, open_bounded, read_texts
from translearn.data.formats.reader import MAX_BYTES, did_you_mean, listing_table, unlabelled
from translearn.data.images.pixels import FORMATS
from translearn.data.ingest.schema import LISTING, SPLIT_NAMES
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder
from translearn.storage.uris import is_remote

_COLUMNS = ("path", "label", "split")
_NUM_THREADS = 8  # an object store answers slowly, but many at a time
_LITTER = {"thumbs.db", "desktop.ini"}  # what file managers leave behind


@dataclass(frozen=True)
class FileReader:
    """Files, read by their paths below a folder."""

    folder: Folder

    @property
    def is_local(self) -> bool:
        """See ``Reader``."""
        return self.folder.is_local

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``."""
        if self.is_local:  # handing each small file from thread to thread takes longer than reading it
            yield from map(self._read, keys)
            return
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            yield from pool.map(self._read, keys)

    def _read(self, key: str) -> bytes | str:
        try:
            with self.folder.fs.open_input_file(self.folder.file(key)) as stream:
                size = stream.size()
                return bytes(stream.read()) if size <= MAX_BYTES else f"has {size} bytes, more than {MAX_BYTES}"
        except FileNotFoundError:
            return "does not exist"
        except OSError as error:
            return f"cannot be read ({error.strerror or type(error).__name__})"


@dataclass(frozen=True)
class ImageFiles:
    """Files named one by one, without labels; an id is the path or address as it was given.

    Attributes:
        paths: The files.
    """

    paths: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """See ``Reader``."""
        return not all(map(is_remote, self.paths))

    def listing(self) -> pa.Table:
        """See ``Reader``."""
        keys = [path if is_remote(path) else str(Path(path).absolute()) for path in self.paths]
        return unlabelled(self.paths, keys)

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``."""
        return map(read_file, keys)


def read_file(path: str | os.PathLike[str]) -> bytes | str:
    """Return the content of a file at a path or an address, or the reason why there is none."""
    folder, name = Folder.holding(path)
    (content,) = FileReader(folder).read([name])
    return content


@dataclass(frozen=True)
class ImageFolder(FileReader):
    """``train/ [val/] [test/]`` with a folder a class each, or class folders alone.

    An id is the path below the folder. Each file in a class folder, at any depth, counts as an
    image, and its bytes decide; images outside of every class folder have no label.

    Attributes:
        labelled: False to list every file with the ending of an image, at any depth, without labels.
    """

    labelled: bool = True

    def listing(self) -> pa.Table:
        paths = sorted(self._paths())
        if not self.labelled:
            return unlabelled([path for path in paths if looks_decodable(path)])
        has_splits = any(path.split("/")[0] in SPLIT_NAMES for path in paths if "/" in path)
        if has_splits:
            self._check_layout(paths)
        ids = [path for path in paths if _split_and_label(path, has_splits)[1] is not None or _looks_like_image(path)]
        splits = pa.array((_split_and_label(path, has_splits)[0] for path in ids), pa.string())
        labels = pa.array((_split_and_label(path, has_splits)[1] for path in ids), pa.string())
        return listing_table(ids, labels, splits)

    def _paths(self) -> Iterator[str]:
        start = len(self.folder.path) + 1
        for info in self.folder.fs.get_file_info(pafs.FileSelector(self.folder.path, recursive=True)):
            path = info.path[start:]
            hidden = any(part.startswith(".") for part in path.split("/"))
            if info.type == pafs.FileType.File and not hidden and info.base_name.lower() not in _LITTER:
                yield path

    def _check_layout(self, paths: list[str]) -> None:
        tops = {path.split("/")[0] for path in paths if "/" in path}
        faults, others = [], sorted(tops - set(SPLIT_NAMES))
        if others:
            rule = "must hold either split folders or class folders"
            faults.append(fault(self.folder.uri, rule, f"both: {', '.join(others)}", "Move the others elsewhere."))
        for split in sorted(set(SPLIT_NAMES.values())):
            same = sorted(top for top in tops if SPLIT_NAMES.get(top) == split)
            if len(same) > 1:
                rule = f"must have one folder for the {split} split"
                faults.append(fault(self.folder.uri, rule, " and ".join(same), "Merge them."))
        raise_faults(faults, DataError)


@dataclass(frozen=True)
class TableOfPaths(FileReader):
    """A CSV or Parquet file with the columns path, label and, if wanted, split.

    Paths are relative to the file's folder; an id is the path. An empty label is no label.

    Attributes:
        name: The file's name.
        labelled: False to read the paths alone.
    """

    name: str
    labelled: bool = True

    def listing(self) -> pa.Table:
        table, where = self._table(), self.folder.address(self.name)
        ids = _texts(where, table, "path")
        if ids.null_count:
            rule = "must have a path in each row"
            raise DataError(fault(where, rule, f"{ids.null_count} without", "Delete these rows or fill in the path."))
        ids = [str(PurePosixPath(path)) for path in ids.to_pylist()]
        raise_faults(_outside(where, ids), DataError)
        if not self.labelled:
            return unlabelled(ids)
        labels = pc.utf8_trim_whitespace(_texts(where, table, "label"))
        return pa.table([ids, pc.if_else(pc.equal(labels, ""), None, labels), self._splits(table), ids], schema=LISTING)

    def _table(self) -> pa.Table:
        where = self.folder.file(self.name)
        try:
            if self.name.endswith(".parquet"):
                names = open_bounded(self.folder, self.name).schema_arrow.names
                self._check_columns(names)
                return read_texts(self.folder, self.name, [name for name in _COLUMNS if name in names])
            columns = {name: pa.string() for name in _COLUMNS}  # so that a class may be called 007
            convert = pacsv.ConvertOptions(column_types=columns, strings_can_be_null=True, null_values=[""])
            with self.folder.fs.open_input_file(where) as stream:
                table = pacsv.read_csv(stream, convert_options=convert)
            self._check_columns(table.column_names)
            return table
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            first = "path,label[,split]" if self.labelled else "path"
            remedy = f"({error}) The first line of a CSV file names its columns: {first}."
            raise DataError(fault(self.folder.address(self.name), "must be a table", "none", remedy)) from error

    def _check_columns(self, names: list[str]) -> None:
        where = self.folder.address(self.name)
        faults = [
            fault(where, f"must have a column {column!r}", names, did_you_mean(column, names))
            for column in (("path", "label") if self.labelled else ("path",))
            if column not in names
        ]
        raise_faults(faults, DataError)

    def _splits(self, table: pa.Table) -> list[str]:
        if "split" not in table.column_names:
            return ["train"] * len(table)
        names = _texts(self.folder.address(self.name), table, "split").to_pylist()
        unknown = sorted({str(name) for name in names} - set(SPLIT_NAMES))
        if unknown:
            where = self.folder.address(self.name)
            raise DataError(fault(where, "must name known splits", unknown, did_you_mean(unknown[0], SPLIT_NAMES)))
        return [SPLIT_NAMES[name] for name in names]


def _split_and_label(path: str, has_splits: bool) -> tuple[str, str | None]:
    *folders, _ = path.split("/")
    split = SPLIT_NAMES[folders.pop(0)] if has_splits and folders else "train"
    return split, folders[0] if folders else None


def _texts(where: str, table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of text, or of numbers as text."""
    check_text(f"{where}: {name}", table[name].type)
    return table[name].cast(pa.string())


def _outside(where: str, paths: list[str]) -> list[str]:
    """Return a fault where a table names files outside of its folder."""
    outside = [path for path in paths if path.startswith("/") or ".." in PurePosixPath(path).parts]
    rule, remedy = "must name paths below the table's folder", "Move the table to a folder above all of its images."
    return [fault(where, rule, f"{len(outside)} others: {', '.join(outside[:3])}", remedy)] if outside else []


@functools.cache
def _endings() -> frozenset[str]:
    """Return the endings of the formats that are read: ``.jpg``, ``.png``, ..."""
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in FORMATS)


def looks_decodable(path: str) -> bool:
    """Return whether a file has the ending of a format that is read."""
    return PurePosixPath(path).suffix.lower() in _endings()


def _looks_like_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in Image.registered_extensions()
