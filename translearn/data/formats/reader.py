"""The interface of a format: a listing without image bytes, and the bytes of listed images."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import pyarrow as pa

from translearn.data.ingest.schema import LISTING
from translearn.data.notes import printable

#: The most bytes that an encoded image may have.
MAX_BYTES = 256 * 2**20
_CLASSES = b"classes"


class Reader(Protocol):
    """A source of labelled images. Readers can be pickled: they travel to Ray's workers."""

    @property
    def is_local(self) -> bool:
        """True where the bytes lie on this machine's disk, so can be read on this machine only."""

    def listing(self) -> pa.Table:
        """Return all examples, of schema ``LISTING``, in the source's own order.

        Raises:
            DataError: With every fault of the source.
        """

    def read(self, keys: Sequence[str]) -> Iterable[bytes | str]:
        """Return the encoded bytes of each image, or the reason why there are none."""


def listing_table(
    ids: Sequence[str] | pa.Array | pa.ChunkedArray,
    labels: Sequence[str | None] | pa.Array | pa.ChunkedArray,
    splits: Sequence[str] | pa.Array,
    keys: Sequence[str] | None = None,
    groups: pa.Array | pa.ChunkedArray | None = None,
) -> pa.Table:
    """Return a table of schema ``LISTING``; the ids serve as keys where none are given."""
    names = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string())
    groups = pa.nulls(len(names), pa.string()) if groups is None else groups
    return pa.table([names, labels, splits, names if keys is None else keys, groups], schema=LISTING)


def unlabelled(ids: Sequence[str] | pa.Array | pa.ChunkedArray, keys: Sequence[str] | None = None) -> pa.Table:
    """Return a table of schema ``LISTING`` of images without labels."""
    return listing_table(ids, pa.nulls(len(ids), pa.string()), ["train"] * len(ids), keys)


def in_order(listing: pa.Table, classes: Sequence[str]) -> pa.Table:
    """Return a listing that says in which order its classes come."""
    return listing.replace_schema_metadata({**(listing.schema.metadata or {}), _CLASSES: json.dumps(list(classes))})


def order_of(listing: pa.Table) -> list[str]:
    """Return the classes in the order that a listing says, those without an image too; none where it says nothing."""
    return list(json.loads((listing.schema.metadata or {}).get(_CLASSES, b"[]")))


def distinct(names: Sequence[str]) -> list[str]:
    """Return class names, with their index appended where a name occurs twice (ImageNet has two cranes)."""
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} ({index})" for index, name in enumerate(names)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remedy: the nearest known name, if any is near, and all of them."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=0.5)
    hint = f"Did you mean {next(known for known in names if known.lower() == near[0])!r}? " if near else ""
    return f"{hint}Known: {', '.join(names) or 'none'}."


def some(names: Sequence[str], most: int = 10) -> str:
    """Return the first names, printable, for a message."""
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")
