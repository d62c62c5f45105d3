"""An ingested data set: its manifest and its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from translearn.data.images.pixels import Decoding
from translearn.data.manifest import MANIFEST, Manifest, Shard
from translearn.errors import DataError, StorageError, fault, raise_faults
from translearn.storage.folder import Folder


@dataclass(frozen=True)
class Dataset:
    """An ingested data set.

    Attributes:
        folder: Its location.
        manifest: Its manifest.
    """

    folder: Folder
    manifest: Manifest

    @property
    def decoding(self) -> Decoding:
        """The decoding of its images."""
        return Decoding(self.manifest.options["max_pixels"], self.manifest.white)

    def num_examples(self, split: str) -> int:
        """Return the number of images of a split."""
        return sum(self.manifest.counts.get(split, {}).values())

    def tables(self, split: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of a split in order, one table a shard, of schema ``ROWS``.

        Args:
            split: train, val or test.
            columns: The columns to read; None for all, with a check of each shard's checksum.

        Raises:
            DataError: A shard is damaged.
            StorageError: It cannot be read.
        """
        for shard in self.shards(split):
            yield self.table(shard) if columns is None else self._columns(shard, columns)

    def shards(self, split: str) -> list[Shard]:
        """Return the files of a split, in order."""
        return [shard for shard in self.manifest.shards if shard.split == split]

    def table(self, shard: Shard) -> pa.Table:
        """Return the rows of one file, of schema ``ROWS``, after checking its checksum.

        Raises:
            DataError: It is damaged.
        """
        return pq.read_table(pa.BufferReader(self.content(shard)))

    def content(self, shard: Shard) -> bytes:
        """Return the bytes of one file, after checking its checksum. Raises as ``table``."""
        content = self.folder.read_bytes(shard.file)
        found = hashlib.sha256(content).hexdigest()
        if found != shard.sha256:
            where, rule = self.folder.address(shard.file), f"must have the SHA-256 {shard.sha256}"
            raise DataError(fault(where, rule, found, "It was changed or damaged: ingest again into a new folder."))
        return content

    def _columns(self, shard: Shard, columns: Sequence[str]) -> pa.Table:
        try:
            return pq.ParquetFile(self.folder.file(shard.file), filesystem=self.folder.fs).read(list(columns))
        except OSError as error:
            raise StorageError(f"{self.folder.address(shard.file)}: cannot be read ({error}).") from error


def open_dataset(location: str | Folder) -> Dataset:
    """Open an ingested data set.

    Args:
        location: Its folder, or the local path or URI of it.

    Raises:
        DataError: There is no manifest, it is malformed, or files are missing.
    """
    folder = location if isinstance(location, Folder) else Folder.open(location)
    names = set(folder.names())
    if MANIFEST not in names:
        rule = f"must hold {MANIFEST}, which ingest writes last"
        remedy = f"Run `translearn ingest SRC {folder.uri}`."
        raise DataError(fault(folder.uri, rule, "none" if names else "an empty or missing folder", remedy))
    try:
        manifest = Manifest.model_validate_json(folder.read_bytes(MANIFEST))
    except ValidationError as error:
        rule, where = "must be a manifest of this version", folder.address(MANIFEST)
        raise DataError(fault(where, rule, f"{error.error_count()} errors", "Ingest again.")) from error
    missing = [shard.file for shard in manifest.shards if shard.file not in names]
    faults = [fault(folder.address(file), "must exist", "no file", "Copy the data set again.") for file in missing]
    raise_faults(faults, DataError)
    return Dataset(folder, manifest)
