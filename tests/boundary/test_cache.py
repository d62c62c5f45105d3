"""A training that reads stored boundaries gives the bits of one that computes them; nothing stale is ever read."""

from __future__ import annotations

import copy
import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from boundary_cases import CPU, DEPTHS, feed, source, split
from cache_cases import cache, digest, places, stored
from torch import nn

from translearn.boundary import ledger as ledgers
from translearn.boundary import planning
from translearn.boundary.cache import Cache
from translearn.boundary.feed import Feed
from translearn.data.batches import epoch_batches
from translearn.data.images.examples import Examples
from translearn.data.images.image_set import ImageSet
from translearn.errors import StorageError
from translearn.models.weights import fingerprint
from translearn.training.precision import autocast


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Cache]:
    one = cache(tmp_path)
    yield one
    one.close()
    assert list(tmp_path.iterdir()) == []


def trained(data: ImageSet, depth: int, arrays: Mapping[int, Examples], **options: Any) -> str:
    """The fingerprint of a suffix after two epochs of SGD on what a feed gives."""
    network = copy.deepcopy(source())
    boundaries = Feed(network, (depth,), data, device=CPU, chunk=8, stored=arrays, **options)
    suffix = network.suffix(depth).train()
    optimizer = torch.optim.SGD(suffix.parameters(), lr=0.05, momentum=0.9)
    for epoch in (1, 2):
        for rows in epoch_batches(len(data), 8, 3, epoch):
            with autocast(options["precision"], CPU):
                z = suffix(boundaries.batch(rows, epoch)[depth])
            optimizer.zero_grad()
            nn.functional.cross_entropy(z.float(), torch.from_numpy(data.labels[rows])).backward()
            optimizer.step()
    return fingerprint(suffix.state_dict())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "num", [pytest.param(16, marks=pytest.mark.slow), pytest.param(17, marks=pytest.mark.slow), 21]
)
def test_training_on_stored_boundaries_is_bit_equal_at_every_depth(kept: Cache, precision: str, num: int) -> None:
    data = split(num)
    found = stored(kept, num=num, precision=precision)
    assert places(found) == dict.fromkeys((1, 2, 3, 4, 5), "memory")
    for depth, array in found.arrays.items():
        assert array.dtype == (np.uint16 if precision == "bf16" else np.float32)
        plain = trained(data, depth, {}, precision=precision)
        assert trained(data, depth, {depth: array}, precision=precision) == plain, depth


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_training_on_stored_views_is_bit_equal(kept: Cache, precision: str) -> None:
    options: dict[str, Any] = {"augment": "flip_crop", "seed": 5, "views": 2, "precision": precision}
    found = stored(kept, num=21, **options)
    assert {len(array) for array in found.arrays.values()} == {42}
    for depth in (2, 5):
        plain = trained(split(21), depth, {}, **options)
        assert trained(split(21), depth, found.arrays, **options) == plain
        assert plain != trained(split(21), depth, {}, precision=precision)


@pytest.mark.parametrize(
    ("num", "chunk"),
    [(256, None), (257, 8), (300, 300)]
    + [
        pytest.param(num, chunk, marks=pytest.mark.slow)
        for num, chunk in [(256, 8), (256, 300), (257, None), (257, 300), (300, None), (300, 8)]
    ],
)
def test_a_stored_boundary_is_that_of_the_feed_across_units(tmp_path: Path, chunk: int | None, num: int) -> None:
    one, data = cache(tmp_path, memory=0), split(num)
    found = stored(one, num=num, chunk=chunk)
    assert set(places(found).values()) == {"disk"}
    computed, read = feed(data, chunk=chunk), feed(data, chunk=chunk, stored=found.arrays)
    for rows in (np.arange(256), np.arange(256, num)) if chunk is None else (np.arange(num - 9, num), np.arange(7)):
        expected, got = computed.batch(rows, 1), read.batch(rows, 1)
        assert all(torch.equal(expected[depth], got[depth]) for depth in DEPTHS)
    one.close()


def test_memory_comes_first_then_disk_and_budgets_hold(tmp_path: Path) -> None:
    # At 32 pixels 20 images take 327,680 bytes at depths 1 and 2, 163,840 at 3, 81,920 at 4, and 40,960 at 5.
    one = cache(tmp_path, memory=140_000, disk=170_000)
    found = stored(one)
    used = {place: sum(d.bytes for d in found.plan if d.place == place) for place in ("memory", "disk")}
    assert 0 < used["memory"] <= 140_000
    assert 0 < used["disk"] <= 170_000
    assert "recompute" in places(found).values()
    for place, size in used.items():
        arrays = list((tmp_path / place).rglob("*.arrow"))
        assert size <= sum(path.stat().st_size for path in arrays) < size + 4096 * len(arrays)
    later = stored(one, data_key="other")
    assert sum(d.bytes for d in later.plan if d.place == "disk") <= 170_000 - used["disk"]
    one.close()


def test_random_augmentation_keeps_nothing_for_training(kept: Cache) -> None:
    found = stored(kept, augment="flip_crop", seed=1)
    assert (found.arrays, found.seconds) == ({}, 0.0)
    assert set(places(found).values()) == {"recompute"}
    assert found.plan[0].reason == "each epoch augments anew: nothing can be read twice"


def test_depth_0_alone_needs_nothing(kept: Cache) -> None:
    assert stored(kept, depths=(0,)).plan == ()


def test_one_read_keeps_nothing(kept: Cache) -> None:
    found = stored(kept, num_reads=1)
    assert found.arrays == {}
    assert found.saves_s_per_image == {}


def test_what_a_reading_saves_is_the_computing_less_the_reading(kept: Cache) -> None:
    # A millisecond a stage and 0.1 for the input, as conftest has it; a boundary at depth 1 has 16 KiB an image.
    found = stored(kept, depths=(1, 3))
    assert found.saves_s_per_image == pytest.approx({1: 1.1e-3 - 16384 / 1e13, 3: 3.1e-3 - 8192 / 1e13}, rel=1e-9)


def test_what_is_there_is_not_computed_again(kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stored(kept)
    monkeypatch.setattr(Feed, "batch", None)
    again = stored(kept)
    assert digest(again) == digest(first)
    assert digest(stored(kept, depths=(3,), num_reads=1)) == digest(stored(kept, depths=(3,)))


def test_a_deeper_boundary_starts_from_the_stored_one(kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = stored(kept, depths=(2, 4), data_key="alone")
    stored(kept, depths=(2,))
    monkeypatch.setattr("translearn.boundary.feed.to_input", None)
    assert digest(stored(kept, depths=(2, 4))) == digest(expected)


CHANGES: dict[str, dict[str, Any]] = {
    "weights": {"network": source(seed=1)},
    "order": {"data": split(20).take(np.arange(20)[::-1])},
    "pixels": {"data": split(20, seed=9)},
    "augmentation": {"augment": "crop", "views": 1},
    "precision": {"precision": "bf16"},
    "threads": {"threads": 99},
    "chunk": {"chunk": 7},
    "source": {"source": "other"},
    "data": {"data_key": "other"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_stale_boundary_is_a_miss(kept: Cache, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(kept, depths=(3,))
    computed: list[int] = []
    batch = Feed.batch

    def counted(self: Feed, rows: np.ndarray, epoch: int) -> dict[int, torch.Tensor]:
        computed.extend(rows)
        return batch(self, rows, epoch)

    monkeypatch.setattr(Feed, "batch", counted)
    stored(kept, depths=(3,))
    assert computed == []
    stored(kept, depths=(3,), **CHANGES[change])
    assert len(computed) == 20


def full_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a file of this name fails, as on a full disk."""
    write_text = Path.write_text

    def refused(self: Path, *args: Any, **more: Any) -> int:
        if self.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write_text(self, *args, **more)

    monkeypatch.setattr(Path, "write_text", refused)


@pytest.mark.parametrize("name", ["ledger.part", "mapped.part"])
def test_a_full_disk_is_a_storage_error_and_the_same_is_stored_when_there_is_room(
    kept: Cache, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_for(name, patch)
        with pytest.raises(StorageError, match="No space left on device"):
            stored(kept)
    assert set(places(stored(kept)).values()) == {"memory"}


def test_a_folder_that_refuses_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    one = cache(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(planning, "measure_rate", refused)
        with pytest.raises(StorageError, match=r"cannot be used for boundaries .*No space left.*Free space"):
            stored(one)
        patch.setattr(shutil, "rmtree", refused)
        with pytest.raises(StorageError, match="No space left"):
            one.close()
        patch.setattr(Path, "mkdir", refused)
        with pytest.raises(StorageError, match="No space left"):
            cache(tmp_path / "other")


def test_what_could_not_be_filled_takes_no_room_and_is_filled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = cache(tmp_path, disk=0)
    with monkeypatch.context() as patch:
        full_for("mapped.part", patch)
        with pytest.raises(StorageError):
            stored(one, depths=(3,))
    with ledgers.opened(tmp_path / "disk") as ledger:
        assert ledger.kept == {}
    # Once it is not taken for filled, a single read is no reason to fill it.
    assert places(stored(one, depths=(3,), num_reads=1)) == {3: "recompute"}
    one.close()
