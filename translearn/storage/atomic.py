"""A local file system for pyarrow on which a file appears whole or not at all, as object stores have it.

Ray's libraries write their state in place: a disk that is full would cut what was whole before. fsspec's own atomic
files lie in the temporary folder first, from which moving them to another disk is a copy, which can be cut too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs


def atomic(fs: pafs.FileSystem) -> pafs.FileSystem:
    """Return a file system of the same files, on which they appear whole or not at all."""
    return pafs.PyFileSystem(_AtomicFiles()) if isinstance(fs, pafs.LocalFileSystem) else fs


def plain(fs: pafs.FileSystem) -> pafs.FileSystem:
    """Return pyarrow's own file system for one of ``atomic``."""
    return pafs.LocalFileSystem() if fs == atomic(pafs.LocalFileSystem()) else fs


class _AtomicFiles(pafs.FileSystemHandler):
    """Local files; those that are written have a temporary name, that of ``Folder``'s, until they are closed."""

    _local = pafs.LocalFileSystem()

    def __reduce__(self) -> tuple[Any, ...]:
        return _AtomicFiles, ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AtomicFiles)

    def __ne__(self, other: object) -> bool:  # pyarrow's handler has its own
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def get_type_name(self) -> str:
        return "local"

    def normalize_path(self, path: str) -> str:
        return str(self._local.normalize_path(path))

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return list(self._local.get_file_info(paths))

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        return list(self._local.get_file_info(selector))

    def create_dir(self, path: str, recursive: bool) -> None:
        self._local.create_dir(path, recursive=recursive)

    def delete_dir(self, path: str) -> None:
        self._local.delete_dir(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool) -> None:
        self._local.delete_dir_contents(path, missing_dir_ok=missing_dir_ok)

    def delete_root_dir_contents(self) -> None:
        raise PermissionError("the root of a local file system is never emptied")

    def delete_file(self, path: str) -> None:
        self._local.delete_file(path)

    def move(self, src: str, dest: str) -> None:
        self._local.move(src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        self._local.copy_file(src, dest)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self._local.open_input_stream(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        return self._local.open_input_file(path)

    def open_output_stream(self, path: str, metadata: Mapping[str, str]) -> pa.NativeFile:  # noqa: ARG002
        return pa.PythonFile(_Writer(Path(path)), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[str, str]) -> pa.NativeFile:
        return self._local.open_append_stream(path, metadata=metadata)


class _Writer:
    """A file object that takes the file's name when it is closed, and deletes what it has where a write fails."""

    def __init__(self, path: Path) -> None:
        self._path, self._temporary = path, path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        self._file = self._temporary.open("wb", buffering=0)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, content: Any) -> int:
        rest = memoryview(content).cast("B")
        total = len(rest)
        try:
            while len(rest):
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.close()
            self._temporary.unlink(missing_ok=True)
            raise
        return total

    def flush(self) -> None:
        pass

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            self._temporary.replace(self._path)
