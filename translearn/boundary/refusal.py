"""A disk that is full or refuses, told as the one kind of error that those who want boundaries can do without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from translearn.errors import StorageError


@contextmanager
def refusals(where: object) -> Iterator[None]:
    """Raises what the system says of a disk as a ``StorageError``; a block, or a decorator."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{where}: cannot be used for boundaries ({error}). Free space on this disk.") from error
