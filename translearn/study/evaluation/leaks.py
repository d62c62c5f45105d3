"""The leak check: whether a source has seen the target's test images, looked for before any claim.

It looks at pixels and digests of test images. Labels play no part (but where a limit draws images by class), no model
sees the images and nothing is chosen, so this is no reading of test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import decoded, select_split
from translearn.data.ingest.near_duplicates import MAX_BITS, MIN_CORRELATION, SIZE, Prints, near_duplicates, prints
from translearn.storage.folder import Folder
from translearn.study.data import target_dataset
from translearn.study.datasets import limits
from translearn.study.directory import LEAKS
from translearn.study.sources import source_dataset

_MAX_PAIRS = 20


def check_leaks(spec: StudySpec, folder: Folder, home: Folder | None = None) -> dict[str, Any]:
    """Compare the images that sources were trained on, where they are at hand, with the target's test images.

    Leaves ``leaks.json``, and reads it where it is there.

    Args:
        spec: The study.
        folder: Its directory.
        home: The directory of the study whose sources they are; None for the same.

    Returns:
        The section ``leaks`` of evaluation.json.
    """
    if not folder.exists(LEAKS):
        sets = {source.name: source_dataset(source, home or folder) for source in spec.sources}
        at_hand = {name: dataset for name, dataset in sets.items() if dataset}
        test = _seen(target_dataset(spec, folder), "test", limits(spec.target.ingest).other, spec) if at_hand else None
        found = {
            "sources": [_checked(name, dataset, test, spec) for name, dataset in at_hand.items() if test],
            "unchecked": [name for name, dataset in sets.items() if not dataset],
            "max_bits": MAX_BITS,
            "min_correlation": MIN_CORRELATION,
        }
        folder.write_json(LEAKS, found)
    return dict(folder.read_json(LEAKS))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Images of a split, as the check sees them."""

    ids: np.ndarray
    digests: np.ndarray
    prints: Prints


def _seen(dataset: Dataset, split: str, per_class: int | None, spec: StudySpec) -> _Seen:
    selection = select_split(dataset, split, SIZE, per_class, spec.seed)
    rows = pa.concat_tables(dataset.tables(split, ["id", "digest"])).take(pa.array(selection.rows))
    ids, digests = (np.array(rows[name].to_pylist()) for name in ("id", "digest"))
    return _Seen(ids, digests, prints(decoded(selection)))


def _checked(name: str, dataset: Dataset, test: _Seen, spec: StudySpec) -> dict[str, Any]:
    source = next(source for source in spec.sources if source.name == name)
    assert source.own_data
    train = _seen(dataset, "train", limits(source.own_data[1]).train, spec)
    exact = _equal(train.digests, test.digests)
    near = {tuple(pair) for pair in near_duplicates(train.prints, test.prints).tolist()} - set(exact)
    both = [(pair, "exact") for pair in exact] + [(pair, "near") for pair in sorted(near)]
    of_exact = {image for _, image in exact}
    return {
        "source": name,
        "num_train": len(train.ids),
        "num_test": len(test.ids),
        "num_exact": len(of_exact),
        "num_near": len({image for _, image in near} - of_exact),
        "pairs": [
            {"source_image": str(train.ids[i]), "test_image": str(test.ids[j]), "kind": kind}
            for (i, j), kind in both[:_MAX_PAIRS]
        ],
    }


def _equal(ours: np.ndarray, theirs: np.ndarray) -> list[tuple[int, int]]:
    """Return the rows of both with the same digest, in order."""
    where: dict[str, list[int]] = {}
    for row, digest in enumerate(ours.tolist()):
        where.setdefault(digest, []).append(row)
    return sorted((i, j) for j, digest in enumerate(theirs.tolist()) for i in where.get(digest, ()))
