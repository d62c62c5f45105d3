"""Folders that may mean something else than their layout: refused, so that splits are never trained on as classes."""

from __future__ import annotations

from collections.abc import Sequence

from translearn.data.formats.folders.layout import Content, Layout, alike
from translearn.data.formats.reader import some
from translearn.data.ingest.schema import SPLIT_NAMES, split_of
from translearn.errors import fault


def layout_faults(where: str, content: Content, layout: Layout) -> list[str]:
    """Return a line for each way in which the folders may mean something else than the layout."""
    return _split_faults(where, content, layout) if layout.splits else _flat_faults(where, content)


def _split_faults(where: str, content: Content, layout: Layout) -> list[str]:
    tops = {above.split("/")[0]: split for above, split in layout.splits.items()}
    faults = []
    if others := [top for top in content.tops if top not in tops and top not in layout.unlabelled]:
        rule, remedy = "must hold either split folders or class folders", "Move the others elsewhere."
        faults.append(fault(where, rule, f"both: {some(others)}", remedy))
    for split in sorted(set(tops.values())):
        same = sorted(top for top in tops if tops[top] == split)
        if len(same) > 1:
            rule = f"must have one folder for the {split} split"
            faults.append(fault(where, rule, " and ".join(same), "Merge them, or rename one that is another split."))
    classes = {name for above in layout.splits for name in content.inner[above]}
    empty = [path for above in layout.splits for path in content.empty(above)]
    return faults + _empty_faults(where, [path for path in empty if path.rpartition("/")[2] not in classes])


def _flat_faults(where: str, content: Content) -> list[str]:
    tops = content.tops
    if len(tops) == 1 and len(content.inner.get(tops[0], ())) > 1:
        rule, shown = "must hold the split folders or class folders themselves", f"one folder, {some(tops)}"
        return [fault(where, rule, shown, f"Give {where}/{tops[0]}.")]
    return [*_only_splits(where, tops), *_alike_faults(where, content), *_empty_faults(where, content.empty(""))]


def _only_splits(where: str, tops: Sequence[str]) -> list[str]:
    """Return a fault where folders that are called as splits hold images and no class folders."""
    splits = {split_of(top) for top in tops}
    if not tops or None in splits or (len(splits) == 1 and not any(top.casefold() in SPLIT_NAMES for top in tops)):
        return []
    rule, shown = "must have a folder for each class in each split folder", f"images directly in {some(tops)}"
    remedy = "Put the images of each class into a folder that is named after it, or give a table of paths and labels."
    return [fault(where, rule, shown, remedy)]


def _alike_faults(where: str, content: Content) -> list[str]:
    """Return a fault where top folders have the same folders in them, as splits have, under names of no splits."""
    pairs = alike(content, content.tops)
    if not pairs:
        return []
    first, second = pairs[0]
    both = sorted(content.within(first) & content.within(second))
    rule, shown = "must have class folders that differ inside", f"{first} and {second}, both with {some(both, 3)}"
    remedy = (
        "Name them train, val and test if they are splits. If they are classes, put their images into them directly, "
        "or give a table of paths and labels."
    )
    return [fault(where, rule, shown, remedy)]


def _empty_faults(where: str, empty: Sequence[str]) -> list[str]:
    if not empty:
        return []
    rule, remedy = "must have an image in each class folder", "Fill these folders, or move them elsewhere."
    return [fault(where, rule, f"none in {len(empty)}: {some(empty)}", remedy)]
