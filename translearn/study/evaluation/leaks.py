"""The leak check: whether a source has seen the target's test images, looked for before any claim.

It looks at pixels and digests of test images. Labels play no part (but where a limit draws images by class), no model
sees the images and nothing is chosen, so this is no reading of test.
"""

from __future__ import annotations

from typing import Any

from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.ingest.checks.near_duplicates import MAX_BITS, MIN_CORRELATION
from translearn.storage.folder import Folder
from translearn.study.datasets.names import limits
from translearn.study.datasets.prepare import target_dataset
from translearn.study.directory import LEAKS
from translearn.study.evaluation.seen import Seen, duplicates, seen
from translearn.study.sources.obtain import source_dataset

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
        test = seen(target_dataset(spec, folder), "test", limits(spec.target.ingest).other, spec) if at_hand else None
        found = {
            "sources": [_checked(name, dataset, test, spec) for name, dataset in at_hand.items() if test],
            "unchecked": [name for name, dataset in sets.items() if not dataset],
            "max_bits": MAX_BITS,
            "min_correlation": MIN_CORRELATION,
        }
        folder.write_json(LEAKS, found)
    return dict(folder.read_json(LEAKS))


def _checked(name: str, dataset: Dataset, test: Seen, spec: StudySpec) -> dict[str, Any]:
    source = next(source for source in spec.sources if source.name == name)
    assert source.own_data
    train = seen(dataset, "train", limits(source.own_data[1]).train, spec)
    found = duplicates(train, test)
    return {
        "source": name,
        "num_train": len(train.ids),
        "num_test": len(test.ids),
        "num_exact": found.num_exact,
        "num_near": found.num_near,
        "pairs": [
            {"source_image": str(train.ids[i]), "test_image": str(test.ids[j]), "kind": kind}
            for (i, j), kind in found.pairs[:_MAX_PAIRS]
        ],
    }
