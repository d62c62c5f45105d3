"""Images of val and test, by which their duplicates in later splits are known: in the order test, val, train."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.images.decode import decode_images
from translearn.data.images.deep import white_of
from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import Decoding
from translearn.data.ingest.checks.near_duplicates import SIZE, Prints, near_duplicates, prints


class Duplicate(NamedTuple):
    """The image of another split that an image is equal (``exact``) or nearly equal to (``near``)."""

    other_id: str
    other_split: str
    kind: str


@dataclass
class HeldOut:
    """The images of val and test seen so far. Memory grows with them.

    Attributes:
        near: Also find near duplicates, for which each image is decoded once more.
        max_pixels: The most pixels of an image that are decoded.
    """

    near: bool = False
    max_pixels: int = MAX_PIXELS
    _exact: dict[str, tuple[str, str]] = field(default_factory=dict)  # digest to (id, split)
    _ids: dict[str, list[str]] = field(default_factory=dict)  # of each split
    _prints: dict[str, list[Prints]] = field(default_factory=dict)

    def duplicates(self, rows: pa.Table) -> list[Duplicate | None]:
        """Return what each row is a duplicate of, and remember rows of val and test.

        Args:
            rows: Good rows of one split, of schema ``INSPECTED``.
        """
        if not len(rows):
            return []
        split = rows["split"][0].as_py()
        names = list(zip(rows["id"].to_pylist(), rows["digest"].to_pylist(), strict=True))
        found = [self._equal(name, split, digest) for name, digest in names]
        if self.near:
            found = [exact or near for exact, near in zip(found, self._similar(rows, split), strict=True)]
        return found

    def _equal(self, name: str, split: str, digest: str) -> Duplicate | None:
        other = self._exact.get(digest)
        if other is None and split != "train":
            self._exact[digest] = name, split
        return None if other is None or other[1] == split else Duplicate(*other, "exact")

    def _similar(self, rows: pa.Table, split: str) -> list[Duplicate | None]:
        # The data set's white is not known yet; prints are the same for any scale that leaves details.
        peak = pc.max(pc.list_flatten(rows.filter(rows["deep"])["highs"])).as_py() or 0
        decoding = Decoding(self.max_pixels, white_of(peak))
        own = prints([decode_images(rows["image"].to_pylist(), SIZE, decoding)])
        found: list[Duplicate | None] = [None] * len(rows)
        for other in [name for name in self._prints if name != split]:
            for row, place in near_duplicates(own, self._merged(other)).tolist()[::-1]:
                found[row] = found[row] or Duplicate(self._ids[other][place], other, "near")
        if split != "train":
            self._ids.setdefault(split, []).extend(rows["id"].to_pylist())
            self._prints.setdefault(split, []).append(own)
        return found

    def _merged(self, split: str) -> Prints:
        parts = self._prints[split]
        if len(parts) > 1:
            hashes, copies = (np.concatenate([getattr(part, name) for part in parts]) for name in ("hashes", "copies"))
            parts[:] = [Prints(hashes, copies)]
        return parts[0]
