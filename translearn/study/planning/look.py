"""A look at what the files of this machine tell of a study, before torch and Ray are imported, which takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.config import IngestSpec, StudySpec
from translearn.data.dataset import open_dataset
from translearn.data.ingest.ingest import check_out
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import plan_ingest
from translearn.data.ingest.schema import SPLITS
from translearn.errors import TranslearnError, fault, raise_faults
from translearn.models.backbones.names import name_faults
from translearn.storage.folder import Folder
from translearn.storage.uris import is_remote
from translearn.study.datasets.changes import at_hand, replaced_faults
from translearn.study.datasets.names import ingest_options, is_ingested, is_place, limits
from translearn.study.directory import changes, nearest
from translearn.study.lock.lock import check_free


@dataclass(frozen=True)
class Size:
    """How many classes, training, validation and test images a data set has, within the study's limits."""

    num_classes: int
    num_train: int
    num_val: int = 0
    num_test: int = 0


def look(spec: StudySpec, alone: bool = True) -> dict[str, Size]:
    """Check the local data sets and checkpoints of a study, its storage and its directory.

    Args:
        spec: The study.
        alone: Whether a command that is at work in the study is a fault.

    Returns:
        The sizes of the local data sets, for ``plan.check_study``.

    Raises:
        TranslearnError: Holds every fault, a line each; or another command is at work there.
    """
    here = {name: data for name, data in places(spec).items() if is_place(data[0]) and not is_remote(data[0])}
    sizes, faults = sizes_of(here)
    faults += _unknown_backbones(spec) + _missing_checkpoints(spec)
    raise_faults([*faults, *([] if is_remote(spec.storage) else storage_faults(spec))])
    if alone:
        check_free(Folder.open(spec.storage), spec.name)
    return sizes


def places(spec: StudySpec) -> dict[str, tuple[str, IngestSpec, int | None]]:
    """Return the data sets of a study: location, ingestion, and the most training images of a class.

    The location is that of the study's own copy where it has one: then nothing needs the data itself.
    """
    bounds = limits(spec.target.ingest, spec.target.train_per_class)
    own = {source.name: source.own_data for source in spec.sources if source.own_data}
    return {
        "target": (at_hand(spec, "target", spec.target.data), spec.target.ingest, bounds.train),
        **{name: (at_hand(spec, name, data), ingest, ingest.limit_per_class) for name, (data, ingest) in own.items()},
    }


def sizes_of(wanted: dict[str, tuple[str, IngestSpec, int | None]]) -> tuple[dict[str, Size], list[str]]:
    """Return the sizes of data sets, out of ``places``, and a line for each fault of theirs."""
    sizes: dict[str, Size] = {}
    faults: list[str] = []
    for name, (data, ingest, per_class) in wanted.items():
        try:
            sizes[name] = size_of(data, ingest, per_class)
        except TranslearnError as error:
            faults += [f"{name}: {line}" for line in str(error).splitlines()]
    return sizes, faults


def size_of(data: str, ingest: IngestSpec, per_class: int | None) -> Size:
    """Return the size of a data set, within its limits; raises DataError where it is none."""
    counts = _ingested_counts(data) if is_ingested(data) else _planned_counts(data, ingest)
    held_out = (_limited(counts[split], ingest.limit_per_class) for split in ("val", "test"))
    return Size(len(counts["train"]), _limited(counts["train"], per_class), *held_out)


def storage_faults(spec: StudySpec) -> list[str]:
    """Return a line for a storage that cannot be written, and for what differs from the study there."""
    try:
        nearest(spec.storage).check_writable()
        return changes(Folder.open(spec.storage) / spec.name, spec) or replaced_faults(spec)
    except TranslearnError as error:
        return [f"storage: {error}"]


def check_ingest(source: str, out: str, options: IngestOptions) -> None:
    """Raise DataError or StorageError where the source, the options or the place are no good."""
    plan = plan_ingest(source, options)
    nearest(out).check_writable()
    check_out(plan, Folder.open(out))


def _unknown_backbones(spec: StudySpec) -> list[str]:
    return [f"sources.{source.name}.{line}" for source in spec.sources for line in name_faults(source.arch)]


def _missing_checkpoints(spec: StudySpec) -> list[str]:
    """Return a line for each local checkpoint that is not there; those that are there are read by ``check_study``."""
    found = [(source.name, source.checkpoint) for source in spec.sources if source.checkpoint]
    return [
        fault(f"sources.{name}", "must be a readable file", f"nothing at {place}", "Check the path.")
        for name, place in found
        if not is_remote(place) and not Folder.open(place).exists()
    ]


def _ingested_counts(data: str) -> dict[str, list[int]]:
    return {split: list(classes.values()) for split, classes in open_dataset(data).manifest.counts.items()}


def _planned_counts(data: str, ingest: IngestSpec) -> dict[str, list[int]]:
    plan = plan_ingest(data, ingest_options(ingest))
    splits = np.array(plan.listing["split"].to_pylist())
    labels = {split: plan.listing.filter(splits == split)["label"].drop_null() for split in SPLITS}
    return {split: np.bincount(found, minlength=len(plan.classes)).tolist() for split, found in labels.items()}


def _limited(counts: list[int], per_class: int | None) -> int:
    return sum(count if per_class is None else min(count, per_class) for count in counts)
