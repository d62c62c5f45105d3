"""Classes that are mirror images of each other: for them mirroring, as an augmentation, makes two classes one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.data.ingest.checks.near_duplicates import SMALL, standard

#: The least images of a class, and the least part of them that must turn into the other class.
MIN_IMAGES, MIN_TURNED = 10, 0.5


@dataclass(frozen=True)
class Mirrored:
    """A class whose images, mirrored, look like those of another.

    Attributes:
        label: The class.
        other: The class that its mirrored images are nearest to.
        num: The images of ``label``.
        mirrored: The part of them that is nearest to an image of ``other`` when mirrored.
        as_they_are: The part that is so without.
    """

    label: int
    other: int
    num: int
    mirrored: float
    as_they_are: float


def mirrored_classes(copies: np.ndarray, labels: np.ndarray) -> list[Mirrored]:
    """Return the classes whose mirrored images are nearest to those of another class.

    An image is nearest to another by the correlation of their small grey copies. Of a mirrored image its own original
    counts too, so symmetrical images stay in their class.

    Args:
        copies: uint8, shape (N, 256), as ``Prints`` has them; memory grows with the square of N.
        labels: int64, shape (N,).
    """
    x = standard(copies)
    mirrored = standard(copies.reshape(-1, SMALL, SMALL)[:, :, ::-1].reshape(len(copies), -1))
    alike = x @ x.T
    np.fill_diagonal(alike, -np.inf)
    as_they_are, turned = (labels[near.argmax(axis=1)] for near in (alike, mirrored @ x.T))
    found = [_row(label, labels, as_they_are, turned) for label in np.unique(labels).tolist()]
    return [row for row in found if row]


def _row(label: int, labels: np.ndarray, as_they_are: np.ndarray, turned: np.ndarray) -> Mirrored | None:
    own = labels == label
    others = turned[own & (turned != label)]
    if own.sum() < MIN_IMAGES or not len(others):
        return None
    other = int(np.bincount(others).argmax())
    mirrored, before = (float((nearest[own] == other).mean()) for nearest in (turned, as_they_are))
    return Mirrored(label, other, int(own.sum()), mirrored, before) if mirrored - before >= MIN_TURNED else None
