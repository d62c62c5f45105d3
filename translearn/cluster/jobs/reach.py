"""The places of a study that a cluster cannot reach, told from their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from translearn.config import StudySpec
from translearn.errors import InputError, fault, raise_faults

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")  # s3://, sklearn:digits
_REMEDY = "Name an object store (s3:// or gs://), or the absolute path of a folder that all nodes share."


def check_reachable(spec: StudySpec) -> None:
    """Raise InputError with every fault of ``unreachable``."""
    raise_faults(unreachable(spec), InputError)


def unreachable(spec: StudySpec) -> list[str]:
    """Return a line for each place on this machine alone: every relative path; absolute ones may be shared."""
    rule = "must be a place that the cluster reaches"
    return [fault(field, rule, repr(place), _REMEDY) for field, place in _places(spec) if not _may_be_shared(place)]


def _may_be_shared(place: str) -> bool:
    return bool(_SCHEME.match(place)) or PurePosixPath(place).is_absolute()


def _places(spec: StudySpec) -> Iterator[tuple[str, str]]:
    yield "storage", spec.storage
    yield "target.data", spec.target.data
    for index, source in enumerate(spec.sources):
        if source.checkpoint is not None:
            yield f"sources.{index}.checkpoint", source.checkpoint
        if source.pretrain is not None:
            yield f"sources.{index}.pretrain.data", source.pretrain.data
        if source.data is not None:
            yield f"sources.{index}.data", source.data
    if spec.search.warm_start not in ("auto", "off"):
        yield "search.warm_start", spec.search.warm_start
