"""Splits where groups of images stay together: whole groups are moved from train, by no seed and no order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from translearn.data.ingest.carve import example_keys, missing_splits

#: Number of a class's images in a group, by class and group.
_Counts = dict[int, dict[int, int]]


def carve_groups(
    groups: np.ndarray, labels: np.ndarray, splits: np.ndarray, fractions: Mapping[str, float]
) -> np.ndarray:
    """Move groups from train to the splits that have no example, so that each class has about its part there.

    Classes with the fewest groups come first; the groups of a class in the order of their names' hashes.

    Args:
        groups: str, shape (N,): the group of each example.
        labels, splits, fractions: As in ``carve_splits``.

    Returns:
        The new splits. A class has a group in each missing split and in train, unless it has too few.
    """
    missing, whole = missing_splits(splits, fractions)
    names, codes = np.unique(groups, return_inverse=True)
    ranks = np.argsort(np.argsort(example_keys(names.tolist()), kind="stable"))
    counts = _counts(labels, ranks[codes], splits == "train")
    moves = _Moves(counts, missing)
    for label in sorted(counts, key=lambda label: (len(counts[label]), label)):
        for split in missing:
            moves.fill(label, split, max(1, round(sum(counts[label].values()) * fractions[split] / whole)))
    carved = splits.copy()
    for split, moved in moves.moved.items():
        carved[(splits == "train") & np.isin(ranks[codes], moved)] = split
    return carved


def _counts(labels: np.ndarray, groups: np.ndarray, is_train: np.ndarray) -> _Counts:
    rows = np.stack([labels, groups], axis=1)[is_train & (labels >= 0)]
    found: _Counts = {}
    for (label, group), num in zip(*(x.tolist() for x in np.unique(rows, axis=0, return_counts=True)), strict=True):
        found.setdefault(label, {})[group] = num
    return found


class _Moves:
    """Groups on their way from train to the missing splits."""

    def __init__(self, counts: _Counts, missing: Sequence[str]) -> None:
        self.moved: dict[str, list[int]] = {split: [] for split in missing}
        self._counts = counts
        self._taken: set[int] = set()
        self._num: dict[str, Counter[int]] = {split: Counter() for split in missing}  # images by split and class
        self._left = Counter({label: len(groups) for label, groups in counts.items()})  # groups in train
        self._classes: dict[int, list[int]] = {}
        for label, groups in counts.items():
            for group in groups:
                self._classes.setdefault(group, []).append(label)

    def fill(self, label: int, split: str, wanted: int) -> None:
        """Move groups of a class to a split until it has about so many images of it."""
        for group, size in sorted(self._counts[label].items()):
            have = self._num[split][label]
            too_many = have and have + size - wanted > wanted - have
            if have < wanted and not too_many and group not in self._taken and self._can_spare(group, split):
                self._move(group, split)

    def _move(self, group: int, split: str) -> None:
        self.moved[split].append(group)
        self._taken.add(group)
        for label in self._classes[group]:
            self._num[split][label] += self._counts[label][group]
            self._left[label] -= 1

    def _can_spare(self, group: int, split: str) -> bool:
        """Return whether each class of a group keeps a group for train, and one for each split that has none of it."""
        others = [nums for name, nums in self._num.items() if name != split]
        return all(self._left[label] >= 2 + sum(not nums[label] for nums in others) for label in self._classes[group])
