"""The boundaries that this node keeps for a search, and how much room they may take."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from translearn.arithmetic import resolve_precision
from translearn.boundary.cache import Budget, Cache
from translearn.boundary.cache import Stored as Kept
from translearn.cluster.shared import Task
from translearn.data.image_set import ImageSet
from translearn.data.on_disk import DiskImages
from translearn.data.streamed import StreamedImages
from translearn.fine_tune import Entrant, Stored, prefix_chunk
from translearn.spec import ClusterSpec, StudySpec
from translearn.team import Team

_NAME = f"translearn-boundaries-{os.getuid()}"
_SHARED_MEMORY = Path("/dev/shm")
#: Of what is free: Ray's object store lives in the same memory.
_SHARE = 0.25
_BLOCK = 4096


#: This process's access to its node's boundaries, once it has one.
_opened: list[Cache] = []


def node_cache(cluster: ClusterSpec) -> Cache:
    """This process's access to its node's boundaries; opened at the first call."""
    if not _opened:
        disk = Path(tempfile.gettempdir())
        memory, gigabytes = (_SHARED_MEMORY, cluster.boundary_memory_gb) if _SHARED_MEMORY.is_dir() else (disk, 0.0)
        _opened.append(
            Cache(
                Budget(memory / f"{_NAME}-memory", _num_bytes(memory, gigabytes)),
                Budget(disk / f"{_NAME}-disk", _num_bytes(disk, cluster.boundary_disk_gb)),
            )
        )
    return _opened[0]


def close_node_cache() -> None:
    """Gives this process's access back; the last process to do so deletes what is there."""
    while _opened:
        _opened.pop().close()


@dataclass(frozen=True)
class Readings:
    """What a heat reads instead of computing it.

    Attributes:
        stored: The boundaries.
        saved_s: By freeze depth, the seconds of computing that they save a trial an epoch, over running alone.
    """

    stored: Stored
    saved_s: Mapping[int, float]


def stored_boundaries(
    entrants: Sequence[Entrant], source: str | None, task: Task, num_reads: int, spec: StudySpec, team: Team
) -> Readings:
    """What is worth reading instead of computing it, for runs of one source.

    Args:
        entrants: The runs.
        source: The source's fingerprint; None for scratch, which has no frozen stages.
        task: The target.
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
    chunk = prefix_chunk(train.batch_size, len(task.train), team.num_workers)
    trained = ask(
        data=task.train,
        data_key=identity(task.train),
        chunk=chunk,
        augment=train.augment,
        seed=recipe.seed,
        views=recipe.views,
    )
    saved = _saved(trained, len(task.train))
    if team.num_workers > 1:
        return Readings(Stored(trained.arrays), saved)
    validated = ask(data=task.val, data_key=identity(task.val), chunk=None)
    saved.update(_saved(validated, len(task.val)))
    return Readings(Stored(trained.arrays, validated.arrays), saved)


def identity(data: ImageSet) -> str:
    """What tells a set of images from every other one."""
    if isinstance(data.images, DiskImages | StreamedImages):
        return data.images.selection.fingerprint()
    digest = hashlib.sha256()
    for first in range(0, len(data), _BLOCK):
        digest.update(np.ascontiguousarray(data.images[first : first + _BLOCK]).data)
    return digest.hexdigest()


def _saved(found: Kept, num_images: int) -> Counter[int]:
    return Counter({depth: num_images * found.prefix_s_per_image[depth] for depth in found.arrays})


def _num_bytes(folder: Path, gigabytes: float | str) -> int:
    free = shutil.disk_usage(folder).free
    return int(free * _SHARE if gigabytes == "auto" else min(free, float(gigabytes) * 1e9))
