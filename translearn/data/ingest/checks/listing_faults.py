"""Faults of a source's listing: names of classes, repeated ids, groups torn apart, classes that a split lacks."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.formats.reader import some
from translearn.data.ingest.groups import group_faults
from translearn.data.ingest.schema import SPLITS
from translearn.errors import fault

_LONGEST_NAME = 200


def listing_faults(source: str, offered: pa.Table, listing: pa.Table, names: list[str]) -> list[str]:
    """Return a line for each fault.

    Args:
        source: As the user named it.
        offered: What its reader lists.
        listing: The same with all splits, within the limits.
        names: The classes.
    """
    faults = _name_faults(source, names) + _id_faults(source, offered) + group_faults(source, listing)
    if len(names) < 2:
        remedy = "Put each class's images into a folder named after it."
        shown = f"{len(names)} in {len(offered)} examples"
        return [*faults, fault(source, "must have labelled images of at least 2 classes", shown, remedy)]
    return faults + _class_faults(source, listing, names)


def _id_faults(source: str, offered: pa.Table) -> list[str]:
    rows = offered.group_by(["split", "id"], use_threads=False)
    counts = rows.aggregate([([], "count_all"), ("label", "count_distinct")])
    counts = counts.filter(pc.greater(counts["count_all"], 1))
    has_two = pc.greater(counts["label_count_distinct"], 1)
    two, same = (counts.filter(mask)["id"].to_pylist() for mask in (has_two, pc.invert(has_two)))
    faults = []
    if two:
        remedy = "Keep the row with the right one, or none of these rows."
        shown = f"{len(two)} with several: {some(two)}"
        faults.append(fault(source, "must have one label for each id in a split", shown, remedy))
    if same:
        shown = f"{len(same)} that occur more than once: {some(same)}"
        faults.append(fault(source, "must have one row for each id in a split", shown, "Delete the repeated rows."))
    return faults


def _name_faults(source: str, names: list[str]) -> list[str]:
    strange = [name for name in names if len(name) > _LONGEST_NAME or not name.isprintable()]
    if not strange:
        return []
    rule = f"must have class names of at most {_LONGEST_NAME} printable characters"
    shown = f"{len(strange)} others: {some([ascii(name[:40]) for name in strange])}"
    return [fault(source, rule, shown, "Rename these classes.")]


def _class_faults(source: str, listing: pa.Table, names: list[str]) -> list[str]:
    labels, splits = listing["label"], listing["split"]
    faults = []
    for split in SPLITS:
        present = set(pc.unique(labels.filter(pc.equal(splits, split))).to_pylist())
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            shown = f"{len(missing)} missing: {some(missing)}"
            least = "images of 3 groups" if listing["group"].null_count < len(listing) else "3 images"
            remedy = f"Classes must be the same in train, val and test; a class whose splits are carved needs {least}."
            remedy = f"{_alike(missing, [names[label] for label in present - {None}])}{remedy}"
            faults.append(fault(f"{source}: {split}", f"must have images of all {len(names)} classes", shown, remedy))
    return faults


def _alike(missing: list[str], present: list[str]) -> str:
    """Return a question for the first missing class of which a split has one that is written otherwise."""
    written = {_letters(name): name for name in present}
    found = [(written[_letters(name)], name) for name in missing if _letters(name) in written]
    return f"By {found[0][0]!r}, did you mean {found[0][1]!r}? " if found else ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold()) or name
