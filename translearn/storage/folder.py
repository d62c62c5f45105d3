"""Directories on any file system of pyarrow (local, s3, gs), with atomic writes.

A file appears whole or not at all: on a local disk it is written under a temporary name and renamed; object stores
write atomically anyway. A set of several files has a marker (a manifest, a ``model.json``) that is written last;
readers trust only the marker.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from translearn.errors import InputError, StorageError
from translearn.storage.file_systems import PATIENT, Patience, open_file_system
from translearn.storage.uris import is_remote, join, split

_WITHOUT_FOLDERS = {"s3", "gcs"}  # folders exist there only as parts of files' names


@dataclass(frozen=True)
class Folder:
    """A directory on a pyarrow file system.

    Attributes:
        fs: The file system.
        path: The directory's path on it, without a scheme or a trailing slash.
        uri: Its address, as a user would write it; absolute for a local directory. It holds no secrets.
        anchor: The path of a file whose absence shows an unmounted disk: writes are refused then. Empty for none.
    """

    fs: pafs.FileSystem
    path: str
    uri: str
    anchor: str = field(default="", compare=False)

    @classmethod
    def open(cls, location: str | os.PathLike[str], patience: Patience = PATIENT) -> Folder:
        """Open the directory at a local path or an address (``s3://``, ``gs://``, ``file://``).

        Args:
            location: Of the directory, which need not exist. Credentials come from the environment.
            patience: Timeouts and retries for an object store.

        Raises:
            StorageError: The address is malformed, or holds secrets.
        """
        text = os.fspath(location)
        if not is_remote(text):
            absolute = str(Path(text).expanduser().resolve())
            return cls(pafs.LocalFileSystem(), absolute, absolute)
        fs, path = open_file_system(text, patience)
        return cls(fs, path.rstrip("/"), text.rstrip("/"))

    @classmethod
    def holding(cls, location: str | os.PathLike[str]) -> tuple[Folder, str]:
        """Return the directory of a file, and the file's name. Raises as ``open``."""
        text = os.fspath(location)
        folder, name = split(text if is_remote(text) else str(Path(text).expanduser().resolve()))
        return cls.open(folder or "/"), name

    @property
    def is_local(self) -> bool:
        """True where ordinary file functions reach the directory."""
        return isinstance(self.fs, pafs.LocalFileSystem)

    def __truediv__(self, name: str) -> Folder:
        return Folder(self.fs, f"{self.path}/{name}", join(self.uri, name), self.anchor)

    def anchored(self, name: str) -> Folder:
        """Return this directory, which refuses writes at any depth once its file ``name`` is gone."""
        return replace(self, anchor=self.file(name))

    @property
    def parent(self) -> Folder:
        """The parent directory."""
        return Folder(self.fs, self.path.rpartition("/")[0], split(self.uri)[0])

    def file(self, name: str) -> str:
        """Return the path, on ``fs``, of a file in the directory."""
        return f"{self.path}/{name}"

    def address(self, name: str) -> str:
        """Return the address of a file in the directory, as a user would write it."""
        return join(self.uri, name)

    def exists(self, name: str = "") -> bool:
        """Return whether the file or directory ``name`` (or the directory itself) exists."""
        with _reading(self.uri):
            return bool(self.fs.get_file_info(self.file(name).rstrip("/")).type != pafs.FileType.NotFound)

    def names(self) -> list[str]:
        """Return the sorted names of the directory's entries; none when it does not exist."""
        selector = pafs.FileSelector(self.path, allow_not_found=True)
        with _reading(self.uri):
            return sorted(info.base_name for info in self.fs.get_file_info(selector))

    def make(self) -> Folder:
        """Create the directory and its parents where missing; return itself."""
        with writing(self.uri):
            self.fs.create_dir(self.path, recursive=True)
        return self

    def remove(self) -> None:
        """Delete the directory and all in it, if it exists."""
        if self.exists():
            with writing(self.uri):
                self.fs.delete_dir(self.path)

    def remove_file(self, name: str) -> None:
        """Delete a file of the directory, if it exists."""
        if self.exists(name):
            with writing(self.address(name)):
                self.fs.delete_file(self.file(name))

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file."""
        with _reading(self.address(name)), self.fs.open_input_file(self.file(name)) as stream:
            return bytes(stream.read())

    def write_bytes(self, name: str, content: bytes | memoryview) -> None:
        """Write a file atomically, replacing an existing one."""
        if self.fs.type_name not in _WITHOUT_FOLDERS:
            self._check_anchor()
            self.make()
        with writing(self.address(name)):
            if self.is_local:
                _write_local(Path(self.file(name)), content)
                return
            with self.fs.open_output_stream(self.file(name)) as stream:
                stream.write(content)

    def _check_anchor(self) -> None:
        """Refuse to recreate a folder whose disk was unmounted: the new files would be hidden when it is back."""
        if self.anchor and self.fs.get_file_info(self.anchor).type == pafs.FileType.NotFound:
            message = f"{self.uri}: cannot be written ({self.anchor} is not there any more)."
            raise StorageError(f"{message} Bring the storage back, and run the same command again.")

    def read_json(self, name: str) -> Any:
        """Return the value in a JSON file."""
        try:
            return json.loads(self.read_bytes(name))
        except ValueError as error:
            message = f"{self.address(name)}: is not JSON ({error}). Delete it to have it made again."
            raise StorageError(message) from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as indented JSON, keys in the order given."""
        self.write_bytes(name, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())

    def read_table(self, name: str) -> pa.Table:
        """Return the table in a Parquet file."""
        try:
            return pq.read_table(pa.BufferReader(self.read_bytes(name)))
        except pa.ArrowInvalid as error:
            message = f"{self.address(name)}: is not Parquet ({error}). Delete it to have it made again."
            raise StorageError(message) from error

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table as one Parquet file."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write_bytes(name, sink.getvalue().to_pybytes())

    def sweep(self) -> None:
        """Delete temporary files of killed writers, at any depth. There must be no writer."""
        for path in list(Path(self.path).rglob(".*.part")) if self.is_local else []:
            if _PART.fullmatch(path.name):
                with writing(str(path)):
                    path.unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Write and delete a test file of 1 MiB. Raises StorageError, with the reason, when that fails."""
        name = f".translearn-{uuid.uuid4().hex[:8]}"
        try:
            self.write_bytes(name, bytes(2**20))
            self.remove_file(name)
        except StorageError as error:
            raise StorageError(str(error).replace(self.address(name), self.uri)) from error

    @contextmanager
    def told_where_unwritable(self) -> Iterator[None]:
        """Raise StorageError where the block fails and the directory takes no files: that is why.

        Ray's libraries meet a disk that is full or away in many places, and say so in as many ways, or not at all.
        """
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            try:
                self.check_writable()
            except StorageError as cause:
                raise cause from error
            raise


_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def _write_local(path: Path, content: bytes | memoryview) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{where}: cannot be read ({error}).") from error


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Raise StorageError, with the place, where the block cannot write."""
    try:
        yield
    except OSError as error:
        message = f"{where}: cannot be written ({error}). Free space or choose another `storage`."
        raise StorageError(message) from error
