"""The manifest of an ingested data set, written last, which makes it complete."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from translearn.data.notes import Note

#: The manifest's file name; a folder without it is no data set.
MANIFEST = "manifest.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shard(_Record):
    """A Parquet file of a data set."""

    file: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    ]  # no path: a strange manifest stays in its folder
    split: Literal["train", "val", "test"]
    rows: Annotated[int, Field(ge=0)]
    sha256: str


class SizeRange(_Record):
    """The spread of a side's length over all images, in pixels; the median is the lower one."""

    min: int
    median: int
    max: int


class ImageSizes(_Record):
    """The spread of both sides."""

    width: SizeRange
    height: SizeRange


class Manifest(_Record):
    """The content of ``manifest.json``.

    Attributes:
        translearn: The version that wrote it.
        source: The source, as the user named it.
        options: The options of ingest, without places of one machine.
        listing_fingerprint: SHA-256 of the source's listing, by which a finished ingest is known again.
        classes: Class names; a label is a position in this list.
        counts: Split to class to number of images.
        image_sizes: In pixels, upright.
        white: The value of pixels of more than 8 bits that becomes white.
        fingerprint: SHA-256 over the (id, label, split, digest) of all rows in order: depends on neither
            sharding nor the number of workers.
        shards: The files, in order.
        num_quarantined: Rows of ``quarantine.parquet``.
        num_leaks: Rows of ``leaks.parquet``: duplicates of an image in another split.
        leaks_dropped: The number of them that were training images and left out.
        num_conflicts: Pictures of ``conflicts.parquet``: those that are there under several labels.
        notes: What was left out, or done otherwise than the files say.
    """

    translearn: str
    source: str
    options: dict[str, Any]
    listing_fingerprint: str
    classes: list[str]
    counts: dict[str, dict[str, int]]
    image_sizes: ImageSizes
    white: Annotated[int, Field(ge=1)]
    fingerprint: str
    shards: list[Shard]
    num_quarantined: int
    num_leaks: int
    leaks_dropped: int
    num_conflicts: int
    notes: list[Note]
