"""The check of the target's own images, before anything is trained: leaks, labels, and classes that mirroring mixes.

Like the leak check of sources it looks at images, not at what a model makes of them, and nothing is chosen by it: it is
no reading of test.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.config import StudySpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import select_split
from translearn.data.ingest.checks.mirrored import Mirrored, mirrored_classes
from translearn.data.ingest.ingest import CONFLICTS_FILE
from translearn.storage.folder import Folder
from translearn.study.datasets.names import is_ingested, limits
from translearn.study.directory import TARGET_CHECK
from translearn.study.evaluation.seen import Seen, duplicates, seen

#: With more training images only equal ones are looked for.
MAX_TRAIN = 200_000
#: The least part of a split that near duplicates are, to be worth a warning: images of one kind are alike.
NEAR_PART = 0.02
_MIRRORING = ("flip_crop", "resized_crop", "trivial")
_MAX_PAIRS, _MAX_MIRRORED = 20, 2000
_CONSEQUENCE = {"test": "the error may be too low", "val": "the choice by validation may be wrong"}


def check_target(spec: StudySpec, folder: Folder, dataset: Dataset) -> dict[str, Any]:
    """Return the section ``target_check`` of evaluation.json.

    Leaves ``target_check.json``, and reads it where it is there.
    """
    if not folder.exists(TARGET_CHECK):
        folder.write_json(TARGET_CHECK, _checked(spec, dataset))
    return dict(folder.read_json(TARGET_CHECK))


def _checked(spec: StudySpec, dataset: Dataset) -> dict[str, Any]:
    bounds, size = limits(spec.target.ingest, spec.target.train_per_class), spec.target.image_size
    near = len(select_split(dataset, "train", size, bounds.train, spec.seed).rows) <= MAX_TRAIN
    train = seen(dataset, "train", bounds.train, spec, near)
    leaks = [_leaks(train, seen(dataset, split, bounds.other, spec, near), split) for split in ("test", "val")]
    mirrored = _mirrored(train) if spec.train.augment in _MIRRORING else []
    classes = dataset.manifest.classes
    return {
        "leaks": leaks,
        "num_conflicts": dataset.manifest.num_conflicts,
        "mirrored": [{**asdict(row), "label": classes[row.label], "other": classes[row.other]} for row in mirrored],
        "warnings": [
            *[line for row in leaks for line in leak_warnings(row, _remedy(spec))],
            *conflict_warnings(dataset),
            *[mirror_warning(row, classes, spec.train.augment) for row in mirrored[:1]],
        ],
    }


def _leaks(train: Seen, other: Seen, split: str) -> dict[str, Any]:
    found = duplicates(train, other)
    differ = {j for (i, j), _ in found.pairs if train.labels[i] != other.labels[j]}
    return {
        "split": split,
        "num": len(other.ids),
        "num_exact": found.num_exact,
        "num_near": found.num_near if train.prints else None,
        "num_other_label": len(differ),
        "pairs": [
            {"train_image": str(train.ids[i]), "image": str(other.ids[j]), "kind": kind}
            for (i, j), kind in found.pairs[:_MAX_PAIRS]
        ],
    }


def leak_warnings(row: dict[str, Any], remedy: str) -> list[str]:
    """Return a line on the images of a split that training images are duplicates of, where these may matter."""
    num_near = row["num_near"] or 0
    if not row["num_exact"] and num_near < NEAR_PART * row["num"]:
        return []
    name, first = {"test": "test", "val": "validation"}[row["split"]], row["pairs"][0]
    kinds = f"{row['num_exact']} exact and {num_near} near duplicate{'' if num_near == 1 else 's'}"
    other = f", {row['num_other_label']} of them under another label" if row["num_other_label"] else ""
    return [
        f"of the target's {row['num']} {name} images {kinds} are among its own training images{other} "
        f"(first: {first['image']} is {first['train_image']}): {_CONSEQUENCE[row['split']]}. {remedy}"
    ]


def conflict_warnings(dataset: Dataset) -> list[str]:
    """Return a line where pictures of a data set are there under several labels."""
    num, place = dataset.manifest.num_conflicts, dataset.folder.address(CONFLICTS_FILE)
    if not num:
        return []
    is_one = num == 1
    return [f"{num} picture{' is' if is_one else 's are'} there under several labels: mend those that {place} lists."]


def mirror_warning(row: Mirrored, classes: list[str], augment: str) -> str:
    """Return a line on a class whose mirrored images look like those of another."""
    before, after = (f"{100 * part:.0f} %" for part in (row.as_they_are, row.mirrored))
    return (
        f"train.augment: {augment} mirrors training images, but those of {classes[row.label]} then look like "
        f"{classes[row.other]} ({after} of {row.num}; as they are {before}). Set it to crop."
    )


def _remedy(spec: StudySpec) -> str:
    if is_ingested(spec.target.data):
        return "Ingest it into another folder with --drop-leaks, which leaves them out of train."
    return "target.ingest.drop_leaks: true, in a study of another name, leaves them out of train."


def _mirrored(train: Seen) -> list[Mirrored]:
    if train.prints is None:
        return []
    per_class = max(1, _MAX_MIRRORED // len(np.unique(train.labels)))
    rows = np.concatenate([np.flatnonzero(train.labels == label)[:per_class] for label in np.unique(train.labels)])
    found = mirrored_classes(train.prints.copies[rows], train.labels[rows])
    return sorted(found, key=lambda row: -row.mirrored)
