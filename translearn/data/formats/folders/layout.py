"""Layout of a folder of images: which of its folders are splits, and which are classes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from translearn.data.ingest.schema import SPLIT_NAMES, split_of

_HALF = 0.5


@dataclass(frozen=True)
class Content:
    """The images and folders below a folder.

    Attributes:
        images: Paths of files that may be images.
        folders: Paths of all folders, those without an image too.
    """

    images: Sequence[str]
    folders: Sequence[str]

    @cached_property
    def tops(self) -> tuple[str, ...]:
        """The folders with images that lie in no other folder."""
        return tuple(sorted({path.split("/")[0] for path in self.images if "/" in path}))

    @cached_property
    def inner(self) -> dict[str, tuple[str, ...]]:
        """Folder to those in it that hold images, at any depth."""
        found: dict[str, set[str]] = {}
        for folder in {path.rpartition("/")[0] for path in self.images}:
            parts = folder.split("/")
            for depth in range(1, len(parts)):
                found.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
        return {folder: tuple(sorted(names)) for folder, names in found.items()}

    @cached_property
    def direct(self) -> frozenset[str]:
        """The folders in which an image lies, not in another folder in them."""
        return frozenset(path.rpartition("/")[0] for path in self.images)

    def empty(self, above: str) -> list[str]:
        """Return the folders in a folder (``""`` for the whole) in which there is no image, at any depth."""
        full = set(self.inner.get(above, ()) if above else self.tops)
        start = f"{above}/" if above else ""
        below = [path.removeprefix(start) for path in self.folders if path.startswith(start)]
        return sorted(start + name for name in below if "/" not in name and name not in full)

    def undoubled(self, top: str) -> str:
        """Return the folder that holds the class folders of a split: ``train/train``, as archives unpack it."""
        within, last = self.inner.get(top, ()), top.rpartition("/")[2]
        doubled = len(within) == 1 and within[0].casefold() == last.casefold() and top not in self.direct
        return self.undoubled(f"{top}/{within[0]}") if doubled else top

    def within(self, top: str) -> set[str]:
        """Return the folders in a top folder that hold images; in the inner one of a doubled folder."""
        return set(self.inner.get(self.undoubled(top), ()))


@dataclass(frozen=True)
class Layout:
    """Where the class folders are.

    Attributes:
        splits: Folder of class folders to its split; empty where the class folders lie in no other folder.
        unlabelled: Top folders of a split without class folders, which are left out.
    """

    splits: dict[str, str]
    unlabelled: tuple[str, ...] = ()

    def place(self, path: str) -> tuple[str, str | None]:
        """Return the split of an image, and its class, None where it lies in no class folder."""
        *folders, _ = path.split("/")
        above = next((above for above in self.splits if path.startswith(f"{above}/")), "")
        within = folders[above.count("/") + 1 :] if above else [] if self.splits else folders
        label = unicodedata.normalize("NFC", within[0]) if within else None  # a Mac writes letters in other bytes
        return self.splits.get(above, "train"), label

    def leaves_out(self, path: str) -> bool:
        """Return whether an image belongs to a split without labels."""
        return path.split("/")[0] in self.unlabelled


def layout_of(content: Content) -> Layout:
    """Return the layout that the folders' names and contents speak of; sound or not: see ``layout_faults``."""
    named = _split_folders(content)
    within = {top: content.undoubled(top) for top in named}
    classes = {top: content.within(top) for top in named}
    known = {name for top, split in named.items() if split == "train" for name in classes[top]}
    has_classes = [top for top in named if len(classes[top]) > 1 or classes[top] & known]  # not: test/images/1.jpg
    unlabelled = [top for top in named if has_classes and top not in has_classes and named[top] != "train"]
    return Layout({within[top]: named[top] for top in has_classes}, tuple(unlabelled))


def _split_folders(content: Content) -> dict[str, str]:
    """Return the top folders that are splits by their names, to their splits."""
    named = {top: split for top in content.tops if (split := split_of(top))}
    exact = [top for top in named if top.casefold() in SPLIT_NAMES and content.inner.get(top)]
    sure = exact or len(named) == len(content.tops) or any(named[a] != named[b] for a, b in alike(content, list(named)))
    return named if sure else {}


def alike(content: Content, tops: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of top folders that share at least two folders in them, and half of those of one."""
    within = {top: content.within(top) for top in tops}
    shared = Counter(name for names in within.values() for name in names)
    like = [top for top, names in within.items() if sum(shared[name] > 1 for name in names) > 1]
    return [
        (a, b)
        for a, b in combinations(like, 2)
        if len(both := within[a] & within[b]) > 1 and len(both) >= _HALF * min(len(within[a]), len(within[b]))
    ]
