"""Images that are files: folders of class folders, and files named one by one."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs
from PIL import Image

from translearn.data.formats.reader import MAX_BYTES, listing_table, unlabelled
from translearn.data.images.pixels import FORMATS
from translearn.data.ingest.schema import SPLIT_NAMES
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder
from translearn.storage.uris import is_remote

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


def _split_and_label(path: str, has_splits: bool) -> tuple[str, str | None]:
    *folders, _ = path.split("/")
    split = SPLIT_NAMES[folders.pop(0)] if has_splits and folders else "train"
    return split, folders[0] if folders else None


@functools.cache
def _endings() -> frozenset[str]:
    """Return the endings of the formats that are read: ``.jpg``, ``.png``, ..."""
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in FORMATS)


def looks_decodable(path: str) -> bool:
    """Return whether a file has the ending of a format that is read."""
    return PurePosixPath(path).suffix.lower() in _endings()


def _looks_like_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in Image.registered_extensions()
