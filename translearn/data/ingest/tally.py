"""Running counts of an ingest: images a class, sizes, duplicates, bad images, the fingerprint."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.images.large import MAX_PIXELS
from translearn.data.ingest.checks.held_out import Duplicate, HeldOut
from translearn.data.ingest.checks.oddities import Oddities
from translearn.data.ingest.schema import LEAKS, QUARANTINE
from translearn.data.ingest.shards import by_split
from translearn.data.manifest import ImageSizes, SizeRange
from translearn.data.notes import Note, note


@dataclass
class Tally:
    """Running counts over the inspected rows, in the order test, val, train.

    Memory grows with the val and test splits and with what is bad, not with the training images.

    Attributes:
        drop_leaks: Leave out training images that val or test has too, nearly equal ones as well.
    """

    drop_leaks: bool
    max_pixels: int = MAX_PIXELS
    num_seen: int = 0
    leaks_dropped: int = 0
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    leaks: list[dict[str, Any]] = field(default_factory=list)
    _widths: Counter[int] = field(default_factory=Counter)
    _heights: Counter[int] = field(default_factory=Counter)
    odd: Oddities = field(default_factory=Oddities)
    _held_out: HeldOut = field(init=False)
    _hash: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._held_out = HeldOut(self.drop_leaks, self.max_pixels)

    def kept(self, batch: pa.Table) -> pa.Table:
        """Count a table of schema ``INSPECTED``; return its good rows, without dropped leaks."""
        self.num_seen += len(batch)
        is_bad = pc.is_valid(batch["reason"])
        self.quarantined += batch.filter(is_bad).select(QUARANTINE.names).to_pylist()
        good = [self._kept_of_split(rows) for rows in by_split(batch.filter(pc.invert(is_bad)))]
        return pa.concat_tables([batch.slice(0, 0), *good])

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
        """Return the duplicates across splits, of schema ``LEAKS``: near ones where ``drop_leaks`` is set."""
        return pa.Table.from_pylist(self.leaks, schema=LEAKS)

    def notes(self) -> list[Note]:
        """Return what was left out, the leaks that were not, and what is done with odd images."""
        bad = [f"{row['id']} {row['reason']}" for row in self.quarantined]
        dropped: list[str] = []
        kept: list[str] = []
        for row in self.leaks:
            pair = f"{row['id']} is {row['other_id']}"
            (dropped if self.drop_leaks and row["split"] == "train" else kept).append(pair)
        which = "duplicates between val and test, kept"
        if not self.drop_leaks:
            which = "exact duplicates across splits, kept unless drop_leaks is set"
        return [
            *note("bad images, left out (quarantine.parquet lists them)", bad),
            *note("duplicates of val or test images, left out of train (leaks.parquet lists them)", dropped),
            *note(f"{which} (leaks.parquet lists them)", kept),
            *self.odd.notes(),
        ]

    def _kept_of_split(self, rows: pa.Table) -> pa.Table:
        records = rows.drop_columns(["image"]).to_pylist()
        others = self._held_out.duplicates(rows)
        return rows.filter(pa.array(map(self._keep, records, others), pa.bool_()))

    def _keep(self, row: dict[str, Any], other: Duplicate | None) -> bool:
        if other:
            self.leaks.append({"id": row["id"], "split": row["split"], **other._asdict()})
        if other and self.drop_leaks and row["split"] == "train":
            self.leaks_dropped += 1
            return False
        self.counts[row["split"], row["label"]] += 1
        self.odd.see(row)
        self._widths[row["width"]] += 1
        self._heights[row["height"]] += 1
        self._hash.update(f"{row['id']}\x1f{row['label']}\x1f{row['split']}\x1f{row['digest']}\n".encode())
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
