"""Schemas of the tables in ingest, and the names of the splits."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

#: The order in which splits are written: a duplicate is known before the training split is seen.
SPLITS = ("test", "val", "train")
#: Names of splits in folders, file-name prefixes and ``split`` columns.
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

#: An example of a source, without image bytes. ``label`` is the class's name, null where there is none;
#: the reader finds the image's bytes by ``key``. Images of one ``group`` stay in one split; null for an image alone.
LISTING = pa.schema([(name, pa.string()) for name in ("id", "label", "split", "key", "group")])

#: A row of an ingested data set. ``image`` is the encoded file; ``digest`` identifies its pixels.
ROWS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
    ]
)

#: A row after inspection: good where ``reason`` is null, else without image, digest and what follows. ``lows`` and
#: ``highs``: the least and largest value of each channel; of a ``deep`` image, of more than 8 bits, before scaling.
#: ``frames``: there are several.
INSPECTED = pa.schema(
    [
        *[pa.field(field.name, field.type) for field in ROWS],
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("lows", pa.list_(pa.int64())),
        ("highs", pa.list_(pa.int64())),
        ("deep", pa.bool_()),
        ("frames", pa.bool_()),
        ("reason", pa.string()),
    ]
)

QUARANTINE = pa.schema([("id", pa.string()), ("split", pa.string()), ("reason", pa.string())])
#: A duplicate of an image in another split; ``kind`` is exact or near.
LEAKS = pa.schema([(name, pa.string()) for name in ("id", "split", "other_id", "other_split", "kind")])

#: An image whose picture, by its digest, is also there under another label.
CONFLICTS = pa.schema([(name, pa.string()) for name in ("digest", "id", "split", "label")])


def class_order(names: set[str], known: Sequence[str] = ()) -> list[str]:
    """Sort class names: those of a known order first, the others as numbers where all are whole, else by code point."""
    first, others = [name for name in known if name in names], names - set(known)
    numeric = all(name.isascii() and name.removeprefix("-").isdigit() for name in others)
    return first + sorted(others, key=(lambda name: (int(name), name)) if numeric else None)


def split_of(name: str) -> str | None:
    """Return the split that a name of a folder or file speaks of, as one of its words.

    >>> [split_of(name) for name in ("Training", "seg_test", "dev", "train2017", "invalid")]
    ['train', 'test', 'val', 'train', None]
    """
    found = {SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", name.casefold()) if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None
