"""Different pictures of a split: equal and nearly equal images of it are copies of one picture.

Like the leak check it looks at pixels and digests alone, so that looking at test is no reading of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import decoded, select_split
from translearn.data.ingest.checks.near_duplicates import SIZE, Prints, near_duplicates, prints
from translearn.study.datasets.names import limits

#: Of larger splits only equal images count as copies: near ones take time with the square of the size.
MAX_COMPARED = 20_000


def pictures_of(spec: StudySpec, dataset: Dataset, split: str) -> np.ndarray:
    """Return the picture of each image of a split of the target: int64, shape (N,), the row of its first copy."""
    bounds = limits(spec.target.ingest, spec.target.train_per_class)
    per_class = bounds.train if split == "train" else bounds.other
    selection = select_split(dataset, split, SIZE, per_class, spec.seed)
    digests = np.array(pa.concat_tables(dataset.tables(split, ["digest"]))["digest"].to_pylist())[selection.rows]
    return first_copies(digests, prints(decoded(selection)) if len(digests) <= MAX_COMPARED else None)


def first_copies(digests: np.ndarray, found: Prints | None) -> np.ndarray:
    """Return the row of the first copy of each image: int64, shape (N,); no first copy is a copy of another.

    Args:
        digests: Shape (N,): equal for equal images.
        found: The images' prints; None to compare the digests alone.
    """
    _, firsts, place = np.unique(digests, return_index=True, return_inverse=True)
    pairs = np.stack([firsts[place], np.arange(len(digests))], axis=1)
    if found is not None:
        pairs = np.concatenate([pairs, near_duplicates(found, found)])
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    first = list(range(len(digests)))
    for one, copy in pairs[np.lexsort(pairs.T[::-1])].tolist():
        if first[one] == one and first[copy] == copy:
            first[copy] = one
    return np.array(first, dtype=np.int64)


def picture_counts(
    classes: list[str], labels: dict[str, np.ndarray], pictures: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return the section ``pictures`` of evaluation.json: images and different pictures of each split and class.

    Args:
        classes: The names, in order of the labels.
        labels: By split, of each image.
        pictures: By split, what ``pictures_of`` gave.
    """
    splits = {split: _counts(labels[split], pictures[split], len(classes)) for split in labels}
    return {
        "max_compared": MAX_COMPARED,
        "splits": {split: {key: int(nums.sum()) for key, nums in of.items()} for split, of in splits.items()},
        "classes": [
            {
                "class": name,
                **{split: {key: int(nums[label]) for key, nums in of.items()} for split, of in splits.items()},
            }
            for label, name in enumerate(classes)
        ],
    }


def _counts(labels: np.ndarray, pictures: np.ndarray, num_classes: int) -> dict[str, np.ndarray]:
    different = np.unique(np.stack([labels, pictures], axis=1), axis=0)[:, 0]
    return {
        "num": np.bincount(labels, minlength=num_classes),
        "num_different": np.bincount(different, minlength=num_classes),
    }
