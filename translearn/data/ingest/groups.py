"""Groups of images that belong together, as frames of a clip or slices of a patient: none is in two splits."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.ingest.schema import LISTING, SPLITS
from translearn.data.notes import Note, note, noted
from translearn.errors import DataError, fault


def pattern_faults(where: str, pattern: str) -> list[str]:
    """Return a line where a pattern is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        remedy = r"For example clip(\d+): what it captures names the group."
        return [fault(where, "must be a regular expression", f"{pattern!r} ({error})", remedy)]
    return []


def with_groups(source: str, listing: pa.Table, pattern: str | None) -> pa.Table:
    """Return a listing whose groups are what a pattern captures of its ids; as it is without a pattern.

    Args:
        source: For messages.
        listing: Of schema ``LISTING``.
        pattern: A regular expression, searched in each id. What its parentheses capture, or without any all that it
            matches, is the group. Images that it does not match have no group.

    Raises:
        DataError: It matches no image, or the source has groups itself.
    """
    if pattern is None:
        return listing
    if listing["group"].null_count < len(listing):
        remedy = "Leave it out, or delete the column."
        raise DataError(
            fault("ingest.group", f"must be left out, as {source} has a column group", repr(pattern), remedy)
        )
    found = [re.search(pattern, name) for name in listing["id"].to_pylist()]
    if not any(found):
        shown = f"{pattern!r}, which is in none of {len(found)}"
        first = f"The first is {listing['id'][0]}." if found else ""
        raise DataError(fault("ingest.group", f"must match paths of images of {source}", shown, first))
    names = [_name(match) if match else None for match in found]
    place = LISTING.get_field_index("group")
    return listing.set_column(place, LISTING.field(place), pa.array(names, pa.string()))


def group_names(listing: pa.Table) -> np.ndarray:
    """Return the group of each image, one of its own where it has none: str, shape (N,)."""
    alone = pc.binary_join_element_wise("image", listing["id"], "\x1f")
    return np.array(pc.coalesce(listing["group"], alone).to_pylist())


def crossing(listing: pa.Table) -> list[str]:
    """Return the groups with images in several splits, sorted."""
    pairs = listing.filter(pc.is_valid(listing["group"])).group_by(["group", "split"]).aggregate([])
    counts = pairs.group_by("group").aggregate([([], "count_all")])
    return sorted(counts.filter(pc.greater(counts["count_all"], 1))["group"].to_pylist())


def without_crossing(listing: pa.Table) -> pa.Table:
    """Return a listing without the training images whose group is also in val or test, with a note on these."""
    is_train = pc.equal(listing["split"], "train")
    held_out = pc.unique(listing.filter(pc.invert(is_train))["group"]).drop_null()
    crosses = pc.and_(is_train, pc.is_in(listing["group"], value_set=held_out))
    left_out = note(
        "training images whose group is in val or test, left out", listing.filter(crosses)["id"].to_pylist()
    )
    return noted(listing.filter(pc.invert(crosses)), left_out)


def group_notes(listing: pa.Table) -> list[Note]:
    """Return how many groups there are, and how many images have none where others have one."""
    names = sorted(pc.unique(listing["group"].drop_null()).to_pylist())
    alone = listing.filter(pc.is_null(listing["group"]))["id"].to_pylist() if names else []
    return [
        *note("groups of images, each in one split", names),
        *note("images without a group, each taken for one of its own", alone),
    ]


def group_faults(source: str, listing: pa.Table) -> list[str]:
    """Return a line where a source puts a group into several splits."""
    names = crossing(listing)
    if not names:
        return []
    first = listing.filter(pc.equal(listing["group"], names[0]))
    splits = [split for split in reversed(SPLITS) if split in first["split"].to_pylist()]
    shown = f"{len(names)} in several (first: {names[0]} in {' and '.join(splits)})"
    remedy = "Leave out the splits to have them made by group; or drop_leaks leaves such images out of train."
    return [fault(source, "must have each group in one split", shown, remedy)]


def _name(match: re.Match[str]) -> str:
    return "/".join(part or "" for part in match.groups()) if match.re.groups else match[0]
