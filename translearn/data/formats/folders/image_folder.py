"""Folders of images: split folders of class folders, or class folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from translearn.data.formats.files import FileReader
from translearn.data.formats.folders.layout import Content, Layout, layout_of
from translearn.data.formats.folders.layout_faults import layout_faults
from translearn.data.formats.folders.names import cannot_be_image, looks_decodable, looks_like_image
from translearn.data.formats.folders.walk import Tree, walk
from translearn.data.formats.reader import listing_table, some, unlabelled
from translearn.data.ingest.schema import split_of
from translearn.data.notes import Note, note, noted
from translearn.errors import DataError, fault, raise_faults

_PLAIN = ("train", "val", "valid", "validation", "test")


@dataclass(frozen=True)
class ImageFolder(FileReader):
    """``train/ [val/] [test/]`` with a folder a class each, or class folders alone.

    An id is the path below the folder. Each file in a class folder, at any depth, counts as an image, and its bytes
    decide, unless its name says that it is none; images outside of every class folder have no label.

    Attributes:
        labelled: False to list every file with the ending of an image, at any depth, without labels.
    """

    labelled: bool = True

    def listing(self) -> pa.Table:
        """See ``Reader``."""
        tree, where = walk(self.folder), self.folder.uri
        if not self.labelled:
            images = [path for path in tree.files if looks_decodable(path)]
            raise_faults(_tree_faults(where, tree, images), DataError)
            others = [path for path in tree.files if not looks_decodable(path)]
            return noted(unlabelled(images), _tree_notes(tree, others))
        content = Content([path for path in tree.files if not cannot_be_image(path)], tree.folders)
        layout = layout_of(content)
        faults = _tree_faults(where, tree, content.images) + layout_faults(where, content, layout)
        raise_faults(faults + _link_faults(where, tree, layout), DataError)
        images = [path for path in content.images if _counts(path, layout)]
        places = list(map(layout.place, images))
        listing = listing_table(images, [label for _, label in places], [split for split, _ in places])
        return noted(listing, _notes(tree, content, layout))


def _counts(path: str, layout: Layout) -> bool:
    return not layout.leaves_out(path) and (layout.place(path)[1] is not None or looks_like_image(path))


def _tree_faults(where: str, tree: Tree, images: Sequence[str]) -> list[str]:
    faults = []
    if strange := [path for path in (*images, *tree.folders) if not _is_utf8(path)]:
        shown, remedy = f"{len(strange)} others: {some(strange, 3)}", "Rename them, for example with convmv."
        faults.append(fault(where, "must have names of files and folders in UTF-8", shown, remedy))
    if tree.unreadable:
        shown, remedy = f"{len(tree.unreadable)} others: {some(tree.unreadable, 3)}", "Change their permissions."
        faults.append(fault(where, "must have folders that can be read", shown, remedy))
    return faults


def _link_faults(where: str, tree: Tree, layout: Layout) -> list[str]:
    """Return a fault where links lead to one directory from two classes or splits."""
    several = [f"{a} and {b}" for a, b in tree.again if layout.place(f"{a}/x") != layout.place(f"{b}/x")]
    if not several:
        return []
    rule, shown = "must not reach one directory as two classes or splits", f"{len(several)} so: {some(several, 3)}"
    return [fault(where, rule, shown, "Remove one of the links.")]


def _notes(tree: Tree, content: Content, layout: Layout) -> list[Note]:
    others = [path for path in tree.files if cannot_be_image(path)]
    others += [path for path in content.images if not layout.leaves_out(path) and not _counts(path, layout)]
    return [*_split_notes(content, layout), *_tree_notes(tree, others)]


def _tree_notes(tree: Tree, others: list[str]) -> list[Note]:
    endings = ", ".join(sorted({PurePosixPath(path).suffix.lower() for path in others} - {""})[:5])
    return [
        *note(f"files that are no images by their names{f' ({endings})' if endings else ''}, passed over", others),
        *note("hidden files and folders, and those of systems, passed over", tree.hidden),
        *note("links to what is listed anyway, passed over", sorted([*tree.links, *(path for path, _ in tree.again)])),
        *note("links that lead nowhere, pipes and devices, passed over", tree.strange),
    ]


def _split_notes(content: Content, layout: Layout) -> list[Note]:
    named = [f"{above} as {split}" for above, split in sorted(layout.splits.items()) if above not in _PLAIN]
    found = note("split folders of other names, taken", named)
    for top in layout.unlabelled:
        left, split = [path for path in content.images if path.split("/")[0] == top], split_of(top)
        carved = f"; {split} is carved from train" if split not in layout.splits.values() else ""
        found += note(f"images of {top} without labels, left out{carved}", left)
    known = {None, *layout.splits.values()}
    empty = [top for top in content.empty("") if layout.splits and split_of(top) not in known]
    return found + note("split folders without an image, carved from train", empty)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
