"""A study checked before it begins: data, weights, storage, trackers."""

from __future__ import annotations

from collections.abc import Mapping

from translearn.cluster.tracking.connections import tracker_faults
from translearn.config import StudySpec
from translearn.data.damage import damaged_shards
from translearn.data.dataset import open_dataset
from translearn.data.manifest import MANIFEST
from translearn.errors import DataError, raise_faults
from translearn.models.backbones.faults import backbone_faults
from translearn.models.sources import check_sources
from translearn.storage.folder import Folder
from translearn.study.datasets.names import is_ingested
from translearn.study.planning.look import Size, places, sizes_of, storage_faults
from translearn.study.sources.limits import size_faults


def check_study(spec: StudySpec, known: Mapping[str, Size] | None = None) -> dict[str, Size]:
    """Check data, weights, storage and trackers; nothing is trained, and images are not decoded yet.

    Args:
        spec: The study.
        known: The sizes that ``look`` has found: these data sets are sound.

    Returns:
        The size of the target's data set and of those of sources that are at hand, by ``target`` or the source's name.

    Raises:
        TranslearnError: Holds every fault, a line each.
    """
    known = known or {}
    faults = backbone_faults(spec) + check_sources(spec.sources)
    wanted = places(spec)
    sizes, bad = sizes_of({name: wanted[name] for name in wanted if name not in known})
    sizes = {**known, **sizes}
    if "target" in sizes:
        faults += size_faults(spec, sizes["target"].num_classes)
    raise_faults([*faults, *bad, *storage_faults(spec), *tracker_faults(spec)])
    raise_faults(_shard_faults(spec), DataError)
    return sizes


def _shard_faults(spec: StudySpec) -> list[str]:
    """Return a line for each damaged file of the existing data sets: the user's, and those that the study made."""
    own = Folder.open(spec.storage) / spec.name / "data"
    given = [spec.target.data, *(source.own_data[0] for source in spec.sources if source.own_data)]
    made = [folder for folder in (own / name for name in own.names()) if folder.exists(MANIFEST)]
    found = [Folder.open(data) for data in dict.fromkeys(given) if is_ingested(data)] + made
    return [line for folder in found for line in damaged_shards(open_dataset(folder))]
