"""A file that is written as it comes, and appears whole or not at all."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.fs as pafs

from translearn.storage.folder import Folder, writing


@contextmanager
def whole_file(folder: Folder, name: str) -> Iterator[Path]:
    """Yield the local path to write a file at; at the end of the block it appears in the folder, whole.

    Nothing appears where the block raises. A file of that name is replaced.

    Raises:
        StorageError: The folder cannot be written.
    """
    part = f".{name}.{uuid.uuid4().hex[:8]}.part"
    with tempfile.TemporaryDirectory() as elsewhere, writing(folder.address(name)):
        local = Path(folder.make().file(part)) if folder.is_local else Path(elsewhere) / part
        try:
            yield local
            if folder.is_local:
                local.replace(folder.file(name))
            else:
                pafs.copy_files(str(local), folder.file(name), pafs.LocalFileSystem(), folder.fs)
        finally:
            local.unlink(missing_ok=True)
