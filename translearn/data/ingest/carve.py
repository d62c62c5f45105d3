"""Splits of the examples: as the source says, missing ones carved from training.

Everything is a function of the examples' ids, so of no seed and of no order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from translearn.data.ingest.schema import SPLITS
from translearn.seeds import example_key

_CARVED = ("test", "val")


def carve_splits(
    keys: np.ndarray, labels: np.ndarray, splits: np.ndarray, fractions: Mapping[str, float]
) -> np.ndarray:
    """Move a part of each class from train to the splits that have no example.

    Args:
        keys: uint64, shape (N,): ``example_keys`` of the ids.
        labels: int64, shape (N,): class, -1 for none (stays in train).
        splits: str, shape (N,): train, val or test.
        fractions: Split to its part of all examples of a flat source. The parts of the splits that the
            source has already do not count: train and the missing ones share what train has.

    Returns:
        The new splits. Each missing split gets its rounded part of a class, but at least one image.
    """
    missing, whole = missing_splits(splits, fractions)
    carved = splits.copy()
    for rows in _by_class(labels, splits == "train"):
        ordered, start = rows[np.argsort(keys[rows], kind="stable")], 0
        for split in missing:
            num = max(1, round(len(rows) * fractions[split] / whole))
            carved[ordered[start : start + num]] = split
            start += num
    return carved


def missing_splits(splits: np.ndarray, fractions: Mapping[str, float]) -> tuple[list[str], float]:
    """Return the splits that have no example, and their fractions and that of train together."""
    missing = [split for split in _CARVED if not (splits == split).any()]
    return missing, fractions["train"] + sum(fractions[split] for split in missing)


def first_per_class(keys: np.ndarray, labels: np.ndarray, splits: np.ndarray, limit: int) -> np.ndarray:
    """Return the sorted rows of the first ``limit`` labelled examples of each class and split, in order of key."""
    groups = [rows for split in SPLITS for rows in _by_class(labels, splits == split)]
    kept = [rows[np.argsort(keys[rows], kind="stable")][:limit] for rows in groups]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64)


def example_keys(ids: list[str]) -> np.ndarray:
    """Return the ``seeds.example_key`` of each id: uint64, shape (N,)."""
    return np.array([example_key(name) for name in ids], dtype=np.uint64)


def _by_class(labels: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    rows = np.flatnonzero(mask & (labels >= 0))
    rows = rows[np.argsort(labels[rows], kind="stable")]
    return [group for group in np.split(rows, np.flatnonzero(np.diff(labels[rows])) + 1) if len(group)]
