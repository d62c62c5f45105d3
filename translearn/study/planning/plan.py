"""A study checked before it begins: data, weights, storage, trackers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.cluster.tracking.connections import tracker_faults
from translearn.config import IngestSpec, StudySpec
from translearn.data.damage import damaged_shards
from translearn.data.dataset import open_dataset
from translearn.data.ingest.plan import plan_ingest
from translearn.data.manifest import MANIFEST
from translearn.errors import DataError, TranslearnError, raise_faults
from translearn.models.sources import check_sources
from translearn.storage.folder import Folder
from translearn.study.data import ingest_options, is_ingested, limits
from translearn.study.directory import changes, nearest


@dataclass(frozen=True)
class Size:
    """Return how many classes, training and validation images a data set has, within the study's limits."""

    num_classes: int
    num_train: int
    num_val: int = 0


def check_study(spec: StudySpec) -> dict[str, Size]:
    """Check data, weights, storage and trackers; nothing is trained, and images are not decoded yet.

    Returns:
        The size of the target's data set and of those of sources that are at hand, by ``target`` or the source's name.

    Raises:
        TranslearnError: Holds every fault, a line each.
    """
    faults = check_sources([source for source in spec.sources if source.pretrain is None])
    sizes: dict[str, Size] = {}
    bounds = limits(spec.target.ingest, spec.target.train_per_class)
    wanted = [("target", spec.target.data, spec.target.ingest, bounds.train)]
    wanted += [
        (source.name, *source.own_data, source.own_data[1].limit_per_class)
        for source in spec.sources
        if source.own_data
    ]
    for name, data, ingest, per_class in wanted:
        try:
            sizes[name] = _size(data, ingest, per_class)
        except TranslearnError as error:
            faults += [f"{name}: {line}" for line in str(error).splitlines()]
    faults += _storage_faults(spec) + tracker_faults(spec)
    raise_faults(faults)
    raise_faults(_shard_faults(spec), DataError)
    return sizes


def _shard_faults(spec: StudySpec) -> list[str]:
    """Return a line for each damaged file of the existing data sets: the user's, and those that the study made."""
    own = Folder.open(spec.storage) / spec.name / "data"
    given = [spec.target.data, *(source.own_data[0] for source in spec.sources if source.own_data)]
    made = [folder for folder in (own / name for name in own.names()) if folder.exists(MANIFEST)]
    found = [Folder.open(data) for data in dict.fromkeys(given) if is_ingested(data)] + made
    return [line for folder in found for line in damaged_shards(open_dataset(folder))]


def _size(data: str, ingest: IngestSpec, per_class: int | None) -> Size:
    counts = _ingested_counts(data) if is_ingested(data) else _planned_counts(data, ingest)
    train, val = counts["train"], counts["val"]
    return Size(len(train), _limited(train, per_class), _limited(val, ingest.limit_per_class))


def _ingested_counts(data: str) -> dict[str, list[int]]:
    return {split: list(classes.values()) for split, classes in open_dataset(data).manifest.counts.items()}


def _planned_counts(data: str, ingest: IngestSpec) -> dict[str, list[int]]:
    plan = plan_ingest(data, ingest_options(ingest))
    splits = np.array(plan.listing["split"].to_pylist())
    labels = {split: plan.listing.filter(splits == split)["label"].drop_null() for split in ("train", "val")}
    return {split: np.bincount(found, minlength=len(plan.classes)).tolist() for split, found in labels.items()}


def _limited(counts: list[int], per_class: int | None) -> int:
    return sum(count if per_class is None else min(count, per_class) for count in counts)


def _storage_faults(spec: StudySpec) -> list[str]:
    try:
        nearest(spec.storage).check_writable()
        return changes(Folder.open(spec.storage) / spec.name, spec)
    except TranslearnError as error:
        return [f"storage: {error}"]
