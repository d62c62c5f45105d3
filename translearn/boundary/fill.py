"""Fills stored boundaries in bulk: whoever needs them takes the next unit that nobody is at, until all are there.

A unit is some rows of one view, at all depths that are wanted. Its claim is a file lock, which dies with its holder;
a unit that was left half done is computed again, with the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from translearn.boundary.feed import Feed
from translearn.boundary.joined import Joined
from translearn.boundary.layout import to_array
from translearn.boundary.node_folder import claimed
from translearn.data.images.mapped import is_mapped, open_mapped, write_mapped
from translearn.training.inference import BATCH_SIZE

_WAIT_S = 0.02


@dataclass(frozen=True)
class Unit:
    """What one process computes at a time: rows of a view, counted from 0."""

    name: str
    view: int
    rows: np.ndarray


def units(num_examples: int, views: int, chunk: int | None) -> list[Unit]:
    """The units of a boundary, in the order of its rows: whole chunks, or without one the blocks of ``inference``."""
    size = max(1, BATCH_SIZE // chunk) * chunk if chunk else BATCH_SIZE
    cuts = np.split(np.arange(num_examples), range(size, num_examples, size))
    return [Unit(f"{view}-{index:06d}", view, rows) for view in range(views) for index, rows in enumerate(cuts)]


def fill(feed: Feed, folders: Mapping[int, Path], todo: Sequence[Unit], claims: Path) -> None:
    """Computes what is missing, together with all others that do; returns when everything is there.

    Args:
        feed: Gives the boundaries at the depths of ``folders``.
        folders: Where each depth's boundary lies.
        todo: The units.
        claims: A folder for lock files, the same for all who fill boundaries of one source.

    Raises:
        StorageError: A disk is full or refuses.
    """
    claims.mkdir(parents=True, exist_ok=True)
    while missing := [unit for unit in todo if not _is_done(unit, folders)]:
        ours = [_fill_unit(feed, folders, unit, claims) for unit in missing]
        if not any(ours):  # others are at all that is left
            time.sleep(_WAIT_S)


def joined(folder: Path, parts: Sequence[Unit]) -> Joined:
    """The boundary in a folder; StorageError if it is not whole."""
    return Joined(tuple(open_mapped(folder / unit.name) for unit in parts))


def is_filled(folder: Path, parts: Sequence[Unit]) -> bool:
    """Whether a boundary is whole."""
    return all(_is_done(unit, {0: folder}) for unit in parts)


def _fill_unit(feed: Feed, folders: Mapping[int, Path], unit: Unit, claims: Path) -> bool:
    """Does the unit unless others are at it: then False."""
    with claimed(claims / unit.name) as ours:
        if ours and not _is_done(unit, folders):
            batch = feed.batch(unit.rows, epoch=unit.view + 1)
            for depth, folder in folders.items():
                if not is_mapped(folder / unit.name):
                    write_mapped(folder / unit.name, [to_array(batch[depth])])
        return ours


def _is_done(unit: Unit, folders: Mapping[int, Path]) -> bool:
    return all(is_mapped(folder / unit.name) for folder in folders.values())
