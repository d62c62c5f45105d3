"""Images of a split as the checks for duplicates see them, and the duplicates between two splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import decoded, select_split
from translearn.data.ingest.checks.near_duplicates import SIZE, Prints, near_duplicates, prints

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Seen:
    """Images of a split.

    Attributes:
        ids: str, shape (N,).
        labels: int64, shape (N,).
        digests: str, shape (N,): equal for equal pixels.
        prints: Of the images; None where only equal ones are looked for.
    """

    ids: np.ndarray
    labels: np.ndarray
    digests: np.ndarray
    prints: Prints | None


def seen(dataset: Dataset, split: str, per_class: int | None, spec: StudySpec, near: bool = True) -> Seen:
    """Return the images of a split that a study uses; ``near`` decodes them for their prints."""
    selection = select_split(dataset, split, SIZE, per_class, spec.seed)
    rows = pa.concat_tables(dataset.tables(split, ["id", "digest"])).take(pa.array(selection.rows))
    ids, digests = (np.array(rows[name].to_pylist()) for name in ("id", "digest"))
    return Seen(ids, selection.labels, digests, prints(decoded(selection)) if near else None)


@dataclass(frozen=True)
class Duplicates:
    """Duplicates between two splits, as rows of both, in order.

    Attributes:
        exact: Equal pixels.
        near: Nearly equal ones, without the exact.
    """

    exact: list[Pair]
    near: list[Pair]

    @property
    def pairs(self) -> list[tuple[Pair, str]]:
        """All pairs with their kind, the exact first."""
        return [(pair, "exact") for pair in self.exact] + [(pair, "near") for pair in self.near]

    @property
    def num_exact(self) -> int:
        """The number of images of the second split that have an equal in the first."""
        return len({image for _, image in self.exact})

    @property
    def num_near(self) -> int:
        """The number of further images of the second split that have a near duplicate in the first."""
        return len({image for _, image in self.near} - {image for _, image in self.exact})


def duplicates(ours: Seen, theirs: Seen) -> Duplicates:
    """Return the duplicates between two splits: near ones where both have prints."""
    exact = _equal(ours.digests, theirs.digests)
    if ours.prints is None or theirs.prints is None:
        return Duplicates(exact, [])
    near = {(int(i), int(j)) for i, j in near_duplicates(ours.prints, theirs.prints)} - set(exact)
    return Duplicates(exact, sorted(near))


def _equal(ours: np.ndarray, theirs: np.ndarray) -> list[Pair]:
    """Return the rows of both with the same digest, in order."""
    where: dict[str, list[int]] = {}
    for row, digest in enumerate(ours.tolist()):
        where.setdefault(digest, []).append(row)
    return sorted((i, j) for j, digest in enumerate(theirs.tolist()) for i in where.get(digest, ()))
