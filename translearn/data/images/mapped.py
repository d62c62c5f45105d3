"""An array over examples on a local disk: Arrow tensor files, a chunk of rows each, mapped and never read whole.

The pages that are read are the operating system's, shared by all processes of a node, and given back under
pressure; so the array may be larger than memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from translearn.data.images.examples import as_rows, gather
from translearn.errors import StorageError, fault

_MARKER = "mapped.json"


@dataclass(frozen=True)
class MappedArray:
    """An array in a folder, mapped where it is first read; pickles as the folder's path.

    Attributes:
        folder: Where it lies.
        lengths: Rows of each chunk.
        shape: Of the whole.
        dtype: Of its elements.
    """

    folder: Path
    lengths: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the examples in these rows, in this order, in memory of their own."""
        return gather(self._chunks, self._ends, as_rows(rows, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedArray, (self.folder, self.lengths, self.shape, self.dtype)

    @cached_property
    def _chunks(self) -> list[np.ndarray]:
        return [_map(_chunk(self.folder, index)) for index in range(len(self.lengths))]

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.lengths, dtype=np.int64)


def write_mapped(folder: Path, chunks: Iterable[np.ndarray]) -> MappedArray:
    """Write an array, one chunk in memory at a time; what a broken writer left in the folder is replaced.

    Args:
        folder: Where; one writer at a time.
        chunks: Arrays in the order of the rows, alike but for their lengths; at least one. Types that NumPy
            lacks travel as views: bfloat16 as uint16.

    Returns:
        The array. It is whole once its marker is there, which is written last.

    Raises:
        StorageError: The disk is full or refuses.
    """
    marker = folder / _MARKER
    lengths: list[int] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker.unlink(missing_ok=True)
        for chunk in chunks:
            _write(_chunk(folder, len(lengths)), chunk)
            lengths.append(len(chunk))
        facts = {"lengths": lengths, "item": list(chunk.shape[1:]), "dtype": chunk.dtype.str}
        part = marker.with_suffix(".part")
        part.write_text(json.dumps(facts))
        part.replace(marker)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error}). Free space on this disk.") from error
    return open_mapped(folder)


def open_mapped(folder: Path) -> MappedArray:
    """Return the array that ``write_mapped`` finished in a folder.

    Raises:
        StorageError: There is none.
    """
    if not is_mapped(folder):
        raise StorageError(fault(str(folder), f"must hold {_MARKER}, written last", "none", "Write the array again."))
    facts = json.loads((folder / _MARKER).read_text())
    lengths = tuple(facts["lengths"])
    return MappedArray(folder, lengths, (sum(lengths), *facts["item"]), np.dtype(facts["dtype"]))


def is_mapped(folder: Path) -> bool:
    """Return whether a folder holds a whole array."""
    return (folder / _MARKER).exists()


def _chunk(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.arrow"


def _write(path: Path, chunk: np.ndarray) -> None:
    with pa.OSFile(str(path), "wb") as stream:
        pa.ipc.write_tensor(pa.Tensor.from_numpy(np.ascontiguousarray(chunk)), stream)


def _map(path: Path) -> np.ndarray:
    with pa.memory_map(str(path)) as stream:
        return np.asarray(pa.ipc.read_tensor(stream).to_numpy())
