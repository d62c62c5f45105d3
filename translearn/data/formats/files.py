"""Images that are files, named one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from translearn.data.formats.reader import MAX_BYTES, unlabelled
from translearn.storage.folder import Folder
from translearn.storage.uris import is_remote

_NUM_THREADS = 8  # an object store answers slowly, but many at a time


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
