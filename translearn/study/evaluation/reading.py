"""The target's test split: read by one function, which first writes down that it does."""

from __future__ import annotations

import time
from dataclasses import dataclass

from translearn.config import StudySpec
from translearn.data.images.decode import decode_split, select_split
from translearn.data.images.image_set import ImageSet
from translearn.storage.folder import Folder
from translearn.study.datasets.names import limits
from translearn.study.datasets.prepare import Splits
from translearn.study.directory import TEST_READS

_FIRST, _AGAIN = "to evaluate", "to evaluate again: the figures of an earlier reading are not there"


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of a reading of the test split.

    Attributes:
        images: The split, decoded into this process's memory.
        names: The id of each example.
        count: How often the study has read it, this time included.
    """

    images: ImageSet
    names: list[str]
    count: int


def num_reads(folder: Folder) -> int:
    """Return how often the study in a directory has read test."""
    return len(folder.read_json(TEST_READS)) if folder.exists(TEST_READS) else 0


def read_test(spec: StudySpec, folder: Folder, splits: Splits) -> Reading:
    """Add to ``test_reads.json``, and then decode the target's test split."""
    reads = list(folder.read_json(TEST_READS)) if folder.exists(TEST_READS) else []
    reads.append({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "reason": _AGAIN if reads else _FIRST})
    folder.write_json(TEST_READS, reads)
    size, limit = spec.target.image_size, limits(spec.target.ingest).other
    selection = select_split(splits.dataset, "test", size, limit, spec.seed)
    ids = [name for table in splits.dataset.tables("test", ["id"]) for name in table["id"].to_pylist()]
    images = decode_split(splits.dataset, "test", size, limit, spec.seed)
    return Reading(images, [ids[row] for row in selection.rows], len(reads))
