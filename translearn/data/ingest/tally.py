"""Running counts of an ingest: images a class, sizes, duplicates, bad images, the fingerprint."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from translearn.data.ingest.schema import LEAKS, QUARANTINE
from translearn.data.manifest import ImageSizes, SizeRange
from translearn.data.notes import Note, note


@dataclass
class Tally:
    """Running counts over the inspected rows, in the order test, val, train.

    Memory grows with the val and test splits' digests and with what is bad, not with the images.
    """

    drop_leaks: bool
    num_seen: int = 0
    leaks_dropped: int = 0
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    leaks: list[dict[str, Any]] = field(default_factory=list)
    _widths: Counter[int] = field(default_factory=Counter)
    _heights: Counter[int] = field(default_factory=Counter)
    _held_out: dict[str, tuple[str, str]] = field(default_factory=dict)  # digest to (id, split) of val and test
    _hash: Any = field(default_factory=hashlib.sha256)

    def kept(self, batch: pa.Table) -> pa.Table:
        """Count a table of schema ``INSPECTED``; return its good rows, without dropped leaks."""
        rows = batch.drop_columns(["image"]).to_pylist()
        return batch.filter(pa.array([self._keep(row) for row in rows], pa.bool_()))

    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, over the (id, label, split, digest) of the kept rows."""
        return str(self._hash.hexdigest())

    def image_sizes(self) -> ImageSizes:
        """Return the spread of the kept images' sides."""
        return ImageSizes(width=_size_range(self._widths), height=_size_range(self._heights))

    def quarantine_table(self) -> pa.Table:
        """Return the bad rows, of schema ``QUARANTINE``."""
        return pa.Table.from_pylist(self.quarantined, schema=QUARANTINE)

    def leaks_table(self) -> pa.Table:
        """Return the exact duplicates across splits, of schema ``LEAKS``."""
        return pa.Table.from_pylist(self.leaks, schema=LEAKS)

    def notes(self) -> list[Note]:
        """Return what was left out, and the leaks that were not."""
        bad = [f"{row['id']} {row['reason']}" for row in self.quarantined]
        dropped: list[str] = []
        kept: list[str] = []
        for row in self.leaks:
            pair = f"{row['id']} is {row['other_id']}"
            (dropped if self.drop_leaks and row["split"] == "train" else kept).append(pair)
        return [
            *note("bad images, left out (quarantine.parquet lists them)", bad),
            *note("exact duplicates of val or test images, left out of train (leaks.parquet lists them)", dropped),
            *note("exact duplicates across splits, kept unless drop_leaks is set (leaks.parquet lists them)", kept),
        ]

    def _keep(self, row: dict[str, Any]) -> bool:
        self.num_seen += 1
        if row["reason"] is not None:
            self.quarantined.append({name: row[name] for name in QUARANTINE.names})
            return False
        if self._leaks(row) and self.drop_leaks and row["split"] == "train":
            self.leaks_dropped += 1
            return False
        self.counts[row["split"], row["label"]] += 1
        self._widths[row["width"]] += 1
        self._heights[row["height"]] += 1
        self._hash.update(f"{row['id']}\x1f{row['label']}\x1f{row['split']}\x1f{row['digest']}\n".encode())
        return True

    def _leaks(self, row: dict[str, Any]) -> bool:
        own = row["id"], row["split"]
        other = self._held_out.get(row["digest"])
        if other is None and row["split"] != "train":
            self._held_out[row["digest"]] = own
        if other is None or other[1] == row["split"]:
            return False
        self.leaks.append(dict(zip(LEAKS.names, own + other, strict=True)))
        return True


def _size_range(lengths: Counter[int]) -> SizeRange:
    middle, seen = (lengths.total() - 1) // 2, 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen > middle:
            break
    return SizeRange(min=min(lengths), median=length, max=max(lengths))


def class_counts(
    counts: Counter[tuple[str, int]], splits: Iterable[str], classes: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Return counts by (split, label) as split to class name to count, with zeros."""
    names = list(classes)
    return {split: {name: counts[split, label] for label, name in enumerate(names)} for split in splits}
