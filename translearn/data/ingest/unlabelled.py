"""Splits of a source without any label, such as the test split of a competition."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.ingest.schema import SPLITS
from translearn.data.notes import note, noted


def without_unlabelled_splits(listing: pa.Table) -> pa.Table:
    """Return a listing without val or test where none of its images has a label, with a note; it is carved then."""
    for split in SPLITS[:2]:
        is_split = pc.equal(listing["split"], split)
        rows = listing.filter(is_split)
        if len(rows) and rows["label"].null_count == len(rows):
            names = rows["id"].to_pylist()
            what = f"images of {split} without labels, left out; {split} is taken from train"
            listing = noted(listing.filter(pc.invert(is_split)), note(what, names))
    return listing
