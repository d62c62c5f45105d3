"""Plan of an ingest: the source's examples, their classes and splits, checked before images are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.formats.reader import Reader, order_of
from translearn.data.formats.source import open_source
from translearn.data.ingest.carve import carve_splits, example_keys, first_per_class
from translearn.data.ingest.carve_groups import carve_groups
from translearn.data.ingest.checks.listing_faults import listing_faults
from translearn.data.ingest.groups import group_names, group_notes, with_groups, without_crossing
from translearn.data.ingest.inspection import inspect_batch
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.schema import SPLITS, class_order
from translearn.data.ingest.unlabelled import without_unlabelled_splits
from translearn.data.notes import Note, note, notes_of
from translearn.errors import DataError, raise_faults


@dataclass(frozen=True)
class IngestPlan:
    """A checked source.

    Attributes:
        source: As the user named it.
        options: As the user set them.
        reader: Reads the images.
        listing: id, label (int32, null where there is none), split and key of every example, the
            splits in the order test, val, train.
        classes: The names of the labels.
        notes: What the source's reader left out, or took otherwise than it is called.
    """

    source: str
    options: IngestOptions
    reader: Reader
    listing: pa.Table
    classes: tuple[str, ...]
    notes: tuple[Note, ...]

    def batches(self, batch_rows: int) -> Iterator[pa.Table]:
        """Return the listing in slices of this many rows."""
        return (self.listing.slice(start, batch_rows) for start in range(0, len(self.listing), batch_rows))

    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, of the classes and of the listing but the keys."""
        digest = hashlib.sha256("\x1f".join(self.classes).encode())
        for batch in self.listing.select(["id", "label", "split"]).to_batches(max_chunksize=4096):
            digest.update(
                "".join(f"\n{row['id']}\x1f{row['label']}\x1f{row['split']}" for row in batch.to_pylist()).encode()
            )
        return digest.hexdigest()


def plan_ingest(source: str, options: IngestOptions | None = None) -> IngestPlan:
    """List a source and check all that can be checked without its images.

    Args:
        source: See ``formats.source.open_source``.
        options: The defaults where None.

    Raises:
        DataError: With every fault: options, unknown source, no images, ids that occur twice, classes
            that differ between the splits.
    """
    options = options or IngestOptions()
    raise_faults(options.faults(), DataError)
    reader = open_source(source, options.root)
    offered = without_unlabelled_splits(with_groups(source, reader.listing(), options.group))
    names = class_order(set(pc.unique(offered["label"]).to_pylist()) - {None}, order_of(offered))
    labels = pc.index_in(offered["label"], value_set=pa.array(names, pa.string()))
    listing = _with_splits(offered.set_column(1, "label", labels), options)
    if options.drop_leaks:
        listing = without_crossing(listing)
    notes = [*notes_of(listing), *group_notes(listing), *_class_notes(order_of(offered), names)]
    listing = _in_order(listing, options.limit_per_class)
    raise_faults(listing_faults(source, offered, listing, names), DataError)
    return IngestPlan(source, options, reader, listing, tuple(names), tuple(notes))


def inspected(plan: IngestPlan, batch_rows: int = 64) -> Iterator[pa.Table]:
    """Read and check the plan's examples batch by batch; yield tables of schema ``INSPECTED``."""
    for batch in plan.batches(batch_rows):
        yield inspect_batch(batch, plan.reader, plan.options.max_pixels)


def _class_notes(order: list[str], names: list[str]) -> list[Note]:
    return note(
        "classes that the source names without an image, left out", [name for name in order if name not in names]
    )


def _with_splits(listing: pa.Table, options: IngestOptions) -> pa.Table:
    """Carve the splits that are missing, by group where there are groups."""
    fractions = dict(zip(("train", "val", "test"), options.split, strict=True))
    labels, splits = _labels(listing), _splits(listing)
    if listing["group"].null_count < len(listing):
        splits = carve_groups(group_names(listing), labels, splits, fractions)
    else:
        splits = carve_splits(example_keys(listing["id"].to_pylist()), labels, splits, fractions)
    return listing.set_column(2, "split", pa.array(splits.tolist(), pa.string()))


def _in_order(listing: pa.Table, limit: int | None) -> pa.Table:
    """Return the splits in the order of ``SPLITS``, with at most so many images of each class."""
    splits = _splits(listing)
    rows = np.arange(len(splits))
    if limit is not None:
        rows = first_per_class(example_keys(listing["id"].to_pylist()), _labels(listing), splits, limit)
    ordered = np.concatenate([rows[splits[rows] == split] for split in SPLITS])
    return listing.take(pa.array(ordered)).combine_chunks()


def _labels(listing: pa.Table) -> np.ndarray:
    return np.asarray(listing["label"].fill_null(-1).to_numpy().astype(np.int64))


def _splits(listing: pa.Table) -> np.ndarray:
    return np.array(listing["split"].to_pylist(), dtype="<U5")
