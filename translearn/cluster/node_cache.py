"""The boundaries that this node keeps for a search, and how much room they may take."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from translearn.boundary.cache import Budget, Cache
from translearn.boundary.cache import Stored as Kept
from translearn.boundary.cost import Decision
from translearn.boundary.refusal import refusals
from translearn.cluster import boundary_folders
from translearn.config import ClusterSpec, StudySpec
from translearn.data.images.image_set import ImageSet
from translearn.data.images.on_disk import owned
from translearn.data.images.selected import SelectedImages
from translearn.errors import StorageError
from translearn.training.distributed import Team
from translearn.training.epoch import Stored, prefix_chunk
from translearn.training.loop import Entrant
from translearn.training.precision import resolve_precision

#: Of what is free: Ray's object store lives in the same memory.
_SHARE = 0.25
_BLOCK = 4096


#: This process's access to its node's boundaries, once it has one.
_opened: list[Cache] = []


def node_cache(cluster: ClusterSpec) -> Cache:
    """This process's access to its node's boundaries; opened at the first call.

    Raises:
        StorageError: A disk is full or refuses.
    """
    if not _opened:
        with refusals(tempfile.gettempdir()):
            _opened.append(_cache(cluster))
    return _opened[0]


def _cache(cluster: ClusterSpec) -> Cache:
    memory, disk = boundary_folders.memory_folder(), boundary_folders.disk_folder()
    in_memory = cluster.boundary_memory_gb if memory.parent.parent == boundary_folders.SHARED_MEMORY else 0.0
    for folder in (memory, disk):
        owned(folder.parent)
    return Cache(
        Budget(memory, _num_bytes(memory.parent, in_memory)),
        Budget(disk, _num_bytes(disk.parent, cluster.boundary_disk_gb)),
    )


def close_node_cache() -> None:
    """Gives this process's access back; the last process to do so deletes what is there, if the disk lets it."""
    while _opened:
        with suppress(StorageError):  # the next one who comes sweeps
            _opened.pop().close()


@dataclass(frozen=True)
class Readings:
    """What a heat reads instead of computing it.

    Attributes:
        stored: The boundaries.
        saved_s: By freeze depth, the seconds that reading them saves a trial an epoch, over computing them alone.
        spent_s: What measuring and filling took this process, waiting for others included, before the first epoch.
        plans: By split, where each boundary comes from, and why.
    """

    stored: Stored
    saved_s: Mapping[int, float]
    spent_s: float = 0.0
    plans: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Splits:
    """A target's images, and what tells each split, ``train`` or ``val``, from every other set of images."""

    train: ImageSet
    val: ImageSet
    identity: Callable[[str], str]


def stored_boundaries(
    entrants: Sequence[Entrant], source: str | None, splits: Splits, num_reads: int, spec: StudySpec, team: Team
) -> Readings:
    """What is worth reading instead of computing it, for runs of one source.

    Args:
        entrants: The runs.
        source: The source's fingerprint; None for scratch, which has no frozen stages.
        splits: The target's.
        num_reads: Epochs to come.
        spec: The study.
        team: The workers; where there are several, validation is computed.
    """
    deepest = max(entrants, key=lambda entrant: entrant.recipe.freeze_depth)
    recipe, train = deepest.recipe, deepest.recipe.train
    if source is None or spec.search.boundaries == "compute" or not recipe.freeze_depth:
        return Readings(Stored(), {})
    ask = functools.partial(
        node_cache(spec.cluster).stored,
        source=source,
        network=deepest.network.to(team.device),
        depths={entrant.recipe.freeze_depth for entrant in entrants},
        precision=resolve_precision(train.precision, team.device),
        device=team.device,
        num_reads=num_reads,
        threads=torch.get_num_threads(),
    )
    random = {"augment": train.augment, "seed": recipe.seed, "views": recipe.views}
    asked: dict[str, dict[str, Any]] = {}
    if train.augment == "none" or recipe.views:
        asked["train"] = {"chunk": prefix_chunk(train.batch_size, len(splits.train), team.num_workers), **random}
    if team.num_workers == 1:
        asked["val"] = {"chunk": None}
    found: dict[str, Kept] = {}
    saved: Counter[int] = Counter()
    for split, options in asked.items():
        data: ImageSet = getattr(splits, split)
        found[split] = ask(data=data, data_key=splits.identity(split), **options)
        saved.update(_saved(found[split], len(data)))
    return Readings(
        Stored(**{split: one.arrays for split, one in found.items()}),
        saved,
        sum(one.seconds for one in found.values()),
        {split: one.plan for split, one in found.items()},
    )


def identity(data: ImageSet) -> str:
    """What tells a set of images from every other one."""
    if isinstance(data.images, SelectedImages):
        return data.images.selection.fingerprint()
    digest = hashlib.sha256()
    for first in range(0, len(data), _BLOCK):
        digest.update(np.ascontiguousarray(data.images[first : first + _BLOCK]).data)
    return digest.hexdigest()


def _saved(found: Kept, num_images: int) -> Counter[int]:
    return Counter({depth: num_images * seconds for depth, seconds in found.saves_s_per_image.items()})


def _num_bytes(folder: Path, gigabytes: float | str) -> int:
    free = shutil.disk_usage(folder).free
    return int(free * _SHARE if gigabytes == "auto" else min(free, float(gigabytes) * 1e9))
