"""What a heat reads of its node's boundaries: of its own images alone, within the room, and not where it is off."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from translearn.boundary import planning
from translearn.boundary.measure import Chain, Rate, measure_chain
from translearn.cluster import boundary_folders, node_cache, warm_worker
from translearn.cluster.node_cache import Readings, Splits, close_node_cache, identity, stored_boundaries
from translearn.cluster.warm_worker import Start
from translearn.config import ClusterSpec, StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.errors import StorageError
from translearn.models.network import build
from translearn.training.config import Recipe
from translearn.training.distributed import Team
from translearn.training.epoch import Stored
from translearn.training.loop import Entrant

STAGE_S = 1e-3


def images(num: int, side: int = 32, seed: int = 0) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (num, side, side, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num, dtype=np.int64) % 2, np.arange(num, dtype=np.uint64))


def slow_stages(*args: Any) -> Chain:
    """In place of a measurement: boundaries are worth keeping, however busy the machine is."""
    found = measure_chain(*args)
    return Chain(0.0, (STAGE_S,) * len(found.bytes), found.bytes)


@pytest.fixture
def shared_memory(tmp_path: Path) -> Path:
    return tmp_path / "shm"


@pytest.fixture(autouse=True)
def _own_node(tmp_path: Path, shared_memory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A node whose temporary disk and shared memory are folders of the test."""
    shared_memory.mkdir()
    monkeypatch.setattr(boundary_folders, "SHARED_MEMORY", shared_memory)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(planning, "measure_chain", slow_stages)
    monkeypatch.setattr(planning, "measure_rate", lambda *_: Rate(1e12, 1e12))
    yield
    close_node_cache()


def free(num_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=num_bytes))


def study(**changes: Any) -> StudySpec:
    return parse_spec(
        {
            "name": "made",
            "target": {"data": "sklearn:digits"},
            "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}],
            "train": {"batch_size": 8, "augment": "none", "precision": "fp32"},
            **changes,
        }
    )


def readings(
    spec: StudySpec, depths: tuple[int, ...] = (1, 5), source: str | None = "s", team: Team | None = None
) -> Readings:
    sets = {"train": images(20), "val": images(9, seed=1)}
    splits = Splits(sets["train"], sets["val"], lambda split: identity(sets[split]))
    network = build("resnet18", 2, 0).eval()
    entrants = [Entrant(network, Recipe(depth, 0.01, 2, 0, spec.train, spec.search.views)) for depth in depths]
    return stored_boundaries(entrants, source, splits, 10**6, spec, team or Team())


def test_equal_images_have_one_identity_and_others_another() -> None:
    # Blocks of 4096 images are hashed: a change in the first, in the last, and of the order alone.
    data = images(5000, side=2)
    pixels = np.asarray(data.images)
    copy = ImageSet(pixels.copy(), data.labels, data.keys)
    changed = []
    for row in (0, 4095, 4096, 4999):
        other = pixels.copy()
        other[row, 1, 1, 2] ^= 1
        changed.append(identity(ImageSet(other, data.labels, data.keys)))
    swapped = identity(ImageSet(pixels[::-1], data.labels, data.keys))
    assert identity(copy) == identity(data)
    assert len({identity(data), swapped, *changed}) == 6


def test_what_memory_and_disk_may_hold_is_a_quarter_of_what_is_free_or_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    free(4_000_000_000, monkeypatch)
    asked = ("auto", 0.5, 0.0, 100.0)
    rooms = [node_cache._num_bytes(Path("/"), gigabytes) for gigabytes in asked]
    assert rooms == [1_000_000_000, 500_000_000, 0, 4_000_000_000]


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"search": {"boundaries": "compute"}}, {}),
        ({}, {"source": None, "depths": (0,)}),
        ({}, {"depths": (0, 0)}),
    ],
)
def test_nothing_is_read_and_no_folder_made_where_there_is_nothing_to_store(
    tmp_path: Path, changes: dict[str, Any], more: dict[str, Any]
) -> None:
    assert readings(study(**changes), **more) == Readings(Stored(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["shm"]


def test_what_is_read_is_told_with_the_seconds_that_it_saves() -> None:
    found = readings(study())
    assert {depth: len(array) for depth, array in found.stored.train.items()} == {1: 20, 5: 20}
    assert {depth: len(array) for depth, array in found.stored.val.items()} == {1: 9, 5: 9}
    assert found.saved_s == pytest.approx({1: 29 * STAGE_S, 5: 29 * 5 * STAGE_S}, rel=1e-3)
    assert found.spent_s > 0
    assert {split: [one.place for one in plan] for split, plan in found.plans.items()} == {
        "train": ["memory", "memory"],
        "val": ["memory", "memory"],
    }


def test_a_slow_place_saves_less(monkeypatch: pytest.MonkeyPatch) -> None:
    # An image has 2,048 bytes at depth 5: reading it takes half a millisecond, where computing it takes five.
    monkeypatch.setattr(planning, "measure_rate", lambda *_: Rate(2048 / 5e-4, 1e12))
    assert readings(study(), depths=(5,)).saved_s == pytest.approx({5: 29 * (5 * STAGE_S - 5e-4)})


def test_several_workers_compute_validation() -> None:
    found = readings(study(), team=Team(rank=0, num_workers=2, device=torch.device("cpu")))
    assert set(found.stored.train) == {1, 5}
    assert found.stored.val == {}
    assert found.saved_s == pytest.approx({1: 20 * STAGE_S, 5: 20 * 5 * STAGE_S}, rel=1e-3)


def test_where_every_epoch_augments_anew_only_validation_is_read() -> None:
    found = readings(study(train={"batch_size": 8, "augment": "flip_crop", "precision": "fp32"}))
    assert found.stored.train == {}
    assert set(found.stored.val) == {1, 5}


def test_no_room_in_memory_is_room_on_disk_and_no_room_is_no_boundary(tmp_path: Path, shared_memory: Path) -> None:
    on_disk = readings(study(cluster={"boundary_memory_gb": 0}))
    assert set(on_disk.stored.train) == {1, 5}
    assert bytes_below(shared_memory) < 20 * 512 * 4 < bytes_below(tmp_path)
    close_node_cache()
    nowhere = readings(study(cluster={"boundary_memory_gb": 0, "boundary_disk_gb": 0}))
    assert nowhere.stored == Stored({}, {})


def test_a_process_has_one_cache_and_leaves_nothing_when_it_closes_it(tmp_path: Path, shared_memory: Path) -> None:
    cluster = ClusterSpec()
    first = node_cache.node_cache(cluster)
    assert node_cache.node_cache(cluster) is first
    readings(study())
    assert bytes_below(shared_memory) > 20 * 512 * 4
    close_node_cache()
    close_node_cache()
    assert bytes_below(tmp_path) == 0
    assert node_cache.node_cache(cluster) is not first


@pytest.mark.parametrize("orders", [(None,), ((1,), RuntimeError("the mailbox died"))])
def test_a_worker_of_a_group_leaves_nothing_when_it_ends(
    tmp_path: Path, orders: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    upcoming = iter(orders)

    def take(ref: Any) -> Any:
        if isinstance(order := next(upcoming), Exception):
            raise order
        readings(study())
        return order

    monkeypatch.setattr(warm_worker, "ray", MagicMock(get=take))
    monkeypatch.setattr(warm_worker, "prepare_process", lambda _: None)
    monkeypatch.setattr(warm_worker, "_do", lambda *_: b"")
    monkeypatch.setattr(warm_worker, "_tell", lambda *_: None)
    monkeypatch.setattr(warm_worker, "_stay", lambda *_: None)
    monkeypatch.setattr(Team, "joined", lambda _: Team())
    with nullcontext() if len(orders) == 1 else pytest.raises(RuntimeError):
        warm_worker.work(Start(lambda *_: iter(()), MagicMock(), 1))
    assert bytes_below(tmp_path) == 0


KILLED = """
import os, sys
from pathlib import Path
from translearn.boundary.node_folder import NodeFolder
held = NodeFolder(Path(sys.argv[1]))
(held.path / "boundary").write_bytes(b"x" * 4096)
os._exit(1)
"""


def test_what_a_killed_process_left_is_swept_and_what_is_held_is_not(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(boundary_folders, "_PATIENCE_S", 0.2)
    folder = boundary_folders.memory_folder()
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert bytes_below(folder) == 4096
    boundary_folders.sweep()
    assert not folder.exists()
    readings(study())
    before = bytes_below(folder)
    boundary_folders.sweep()
    assert bytes_below(folder) == before > 0


def test_a_disk_that_refuses_ends_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    readings(study())
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refused)
        close_node_cache()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refused)
        with pytest.raises(StorageError, match="No space left on device"):
            readings(study())
        boundary_folders.sweep()
    boundary_folders.sweep()
    assert bytes_below(tmp_path) == 0


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
