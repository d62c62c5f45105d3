"""Data sets as a study file names them. Free of torch and Ray, so that faults are told at once."""

from __future__ import annotations

from dataclasses import dataclass

from translearn.config import IngestSpec
from translearn.data.ingest.options import IngestOptions
from translearn.data.manifest import MANIFEST
from translearn.storage.folder import Folder

_KINDS = ("sklearn", "torchvision", "procedural")


@dataclass(frozen=True)
class Limits:
    """The most images of a class that are used: of training, and of each other split; None for all."""

    train: int | None
    other: int | None


def limits(ingest: IngestSpec, train_per_class: int | None = None) -> Limits:
    """Return the limits that a study file sets."""
    given = [limit for limit in (train_per_class, ingest.limit_per_class) if limit is not None]
    return Limits(min(given, default=None), ingest.limit_per_class)


def ingest_options(spec: IngestSpec) -> IngestOptions:
    """Return the options of a study file as those of an ingest."""
    return IngestOptions(**spec.model_dump())


def is_place(source: str) -> bool:
    """Return whether a data source is a path or an address, and not a name such as ``sklearn:digits``."""
    return source.partition(":")[0] not in _KINDS


def is_ingested(source: str) -> bool:
    """Return whether a data source is the directory of an ingested data set."""
    return is_place(source) and Folder.open(source).exists(MANIFEST)
