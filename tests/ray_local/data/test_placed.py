"""Images in Ray's object store, on disk and streamed: the same bits, the same curve; what was lost comes back."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import ray

from translearn.cluster.data.placed import measure_room, place_images, remove_images
from translearn.cluster.data.shared import Task, fetch, share
from translearn.cluster.data.stored import _ranges, store
from translearn.cluster.each_node import nodes_with_cpus, on_each
from translearn.config import TrainSpec
from translearn.data.dataset import Dataset
from translearn.data.images import on_disk
from translearn.data.images.decode import decode_split, select_split
from translearn.data.images.image_set import ImageSet
from translearn.data.images.placement import Room
from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.data.ingest.shards import ShardWriter
from translearn.errors import DataError
from translearn.models.network import build
from translearn.models.sources import scratch
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig
from translearn.training.loop import fine_tune

pytestmark = pytest.mark.ray

PLACES = ("memory", "disk", "stream")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """100 digits, in shards of at most 20."""
    plan = plan_ingest("sklearn:digits", IngestOptions(limit_per_class=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translearn.data.ingest.ingest.ShardWriter", lambda folder: ShardWriter(folder, max_rows=20))
        return ingest(plan, Folder.open(tmp_path_factory.mktemp("out")), inspected(plan))


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """Images on disk lie in the test's own folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def placed(dataset: Dataset, split: str, place) -> ImageSet:
    return place_images(select_split(dataset, split, 32), place)


def curve(train: ImageSet, val: ImageSet) -> list[tuple[float, ...]]:
    config = TrainConfig(3, 0.01, 2, 7, TrainSpec(batch_size=16, precision="fp32", augment="flip_crop"))
    results = fine_tune(build("resnet18", 10, seed=0), train, val, config)
    return [(one.train_loss, one.val_loss, one.val_error) for one in results]


@pytest.mark.parametrize("place", PLACES)
def test_bits_and_a_whole_curve_are_equal_from_every_place_also_through_a_task(ray_session, dataset, place):
    expected = [decode_split(dataset, split, 32) for split in ("train", "val")]
    found = fetch(
        share(Task(*(placed(dataset, split, place) for split in ("train", "val")), 10, {"s": scratch("resnet18")}))
    )
    rows = np.random.default_rng(0).permutation(len(expected[0]))
    for images in (found.train, pickle.loads(pickle.dumps(found.train)) if place != "memory" else found.train):
        assert np.array_equal(images.images[rows], expected[0].images[rows])
    assert curve(found.train, found.val) == curve(*expected)


def test_parts_are_whole_shards_and_views_of_the_object_store(ray_session, dataset):
    selection = select_split(dataset, "train", 32)
    images = store(selection, part_bytes=30 * 3 * 32**2)
    assert images.lengths == (40, 20)
    assert list(_ranges(selection, 1)) == [(0, 1), (1, 2), (2, 3)]
    assert list(_ranges(selection, 10**9)) == [(0, 3)]
    view = images._views[0]
    assert not view.flags.writeable
    assert np.shares_memory(view, ray.get(images.parts[0]))


def test_a_damaged_shard_is_a_data_error_here(ray_session, dataset, tmp_path):
    shutil.copytree(dataset.folder.path, tmp_path / "copy")
    file = tmp_path / "copy" / dataset.shards("train")[0].file
    selection = select_split(Dataset(Folder.open(tmp_path / "copy"), dataset.manifest), "train", 32)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    for place in ("memory", "disk"):
        with pytest.raises(DataError, match=rf"^{file}: must have the SHA-256 \w+, but got \w+\. It was changed"):
            place_images(selection, place)


def test_decoding_onto_the_disk_tells_that_it_goes_on(ray_session, dataset, monkeypatch, capsys):
    for name in ("_AFTER_S", "_EVERY_S"):
        monkeypatch.setattr(f"translearn.cluster.tracking.progress.{name}", 0.01)
    in_time = on_disk.decoded
    monkeypatch.setattr(on_disk, "decoded", lambda selection: [time.sleep(0.5)] and in_time(selection))
    assert (placed(dataset, "train", "disk").images.folder / "images.npy").exists()
    assert "decoding 60 images onto disk: 0 s\n" in capsys.readouterr().err


def test_removing_leaves_nothing_on_the_disk(ray_session, dataset, tmp_path):
    images = [placed(dataset, split, place) for split in ("train", "val") for place in PLACES]
    for one in images:
        one.images[np.arange(2)]
    assert len([path for path in tmp_path.glob("*/*") if path.is_dir()]) == 2
    remove_images(images)
    assert not [path for path in tmp_path.glob("*/*") if path.is_dir()]


@pytest.mark.slow
def test_images_of_a_node_that_is_lost_are_decoded_again_on_another_one_though_no_cpu_is_free(tmp_path):
    script = Path(__file__).with_name("lineage_script.py")
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["before"] == [["first"]]
    assert set(found["after"][0]) - {"first"}
    assert "first" not in found["after"][0]
    assert found["same"]
    assert found["asked"] == ["first", "second"]


def test_a_node_that_is_lost_before_it_is_asked_has_no_answer(ray_session, monkeypatch):
    lost = {**nodes_with_cpus()[0], "NodeID": "0f" * 28}
    assert on_each([*nodes_with_cpus(), lost], lambda: os.getpid()) == [os.getpid()]
    monkeypatch.setattr("translearn.cluster.data.placed.nodes_with_cpus", lambda: [*nodes_with_cpus(), lost])
    assert measure_room().disk > 0


@pytest.mark.parametrize("num_before", [0, 1])
def test_where_every_node_is_lost_there_is_no_room(ray_session, monkeypatch, num_before):
    lost = [{**node, "NodeID": "0f" * 28} for node in nodes_with_cpus()][:num_before]
    monkeypatch.setattr("translearn.cluster.data.placed.nodes_with_cpus", lambda: lost)
    assert measure_room() == Room(0, 0)


def test_the_room_is_that_of_the_node(ray_session):
    room = measure_room()
    assert room.memory == int(ray.cluster_resources()["object_store_memory"])
    assert 0 < room.disk <= shutil.disk_usage(tempfile.gettempdir()).total
