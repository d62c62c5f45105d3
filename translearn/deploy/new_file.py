"""The file that a command is to write, checked before any work."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from translearn.errors import InputError, fault
from translearn.storage.folder import Folder


def new_file(out: str, endings: Collection[str], overwrite: bool, example: str) -> tuple[Folder, str]:
    """Return the folder and the name of the file of ``--out``.

    Args:
        out: Its path, or an address.
        endings: One of which its name must have.
        overwrite: Whether the file may exist.
        example: A name that would do.

    Raises:
        InputError: The ending is another, or the file exists.
        StorageError: The storage cannot be reached.
    """
    folder, name = Folder.holding(out)
    if PurePosixPath(name).suffix not in endings:
        raise InputError(fault("--out", f"must end in {', '.join(endings)}", repr(out), f"For example {example}."))
    if not overwrite and folder.exists(name):
        remedy = "Name another file, or give --overwrite."
        raise InputError(fault("--out", "must name a new file", f"{out}, which exists", remedy))
    return folder, name
