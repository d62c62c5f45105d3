"""Training that reads Parquet through Ray Data: the same batches, resumed inside an epoch, in flat memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import yaml
from loop_cases import config, curve
from small_study import small_tree

from translearn.cli import main
from translearn.cluster.data.piped import PipedImages, piped
from translearn.cluster.data.placed import place_images
from translearn.cluster.data.shared import Task, fetch, share
from translearn.data.batches import epoch_batches
from translearn.data.dataset import Dataset
from translearn.data.images.decode import select_split
from translearn.data.images.image_set import ImageSet
from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.data.ingest.shards import ShardWriter
from translearn.models.network import build
from translearn.models.sources import scratch
from translearn.storage.folder import Folder

pytestmark = pytest.mark.ray
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's workers do not import tests
MIB = 2**20


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few images are read through Ray Data as tests have, in several tasks."""
    monkeypatch.setattr("translearn.cluster.data.piped._MIN_IMAGES", 1)
    monkeypatch.setattr("translearn.cluster.data.piped._TASK_BYTES", 96 * 3 * 32**2)


def dataset_of(source: str, out: Path, max_rows: int) -> Dataset:
    """A data set in shards of at most so many rows."""
    plan = plan_ingest(source, IngestOptions(split=(0.9, 0.05, 0.05)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "translearn.data.ingest.ingest.ShardWriter", lambda folder: ShardWriter(folder, max_rows=max_rows)
        )
        return ingest(plan, Folder.open(out), inspected(plan))


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """About 300 training images of 10 classes."""
    return dataset_of("procedural:glyphs?num=340", tmp_path_factory.mktemp("glyphs"), max_rows=50)


def train_of(dataset: Dataset, size: int = 32) -> ImageSet:
    return piped(place_images(select_split(dataset, "train", size), "stream"))


def test_an_epoch_comes_in_its_order_from_any_step_on(ray_session: str, glyphs: Dataset) -> None:
    images = fetch(share(Task(train_of(glyphs), train_of(glyphs), 10, {"s": scratch("resnet18")}))).train.images
    assert isinstance(images, PipedImages)
    rows = np.random.default_rng(0).permutation(len(images))
    blocks = [*np.array_split(rows, 7), rows[:0], rows[:5]]  # a worker's part of a batch may be empty
    for first in (0, 4):
        found = list(images.in_order(blocks[first:]))
        assert len(found) == len(blocks) - first
        for block, pixels in zip(blocks[first:], found, strict=True):
            assert np.array_equal(pixels, images.streamed[block])
    assert list(images.in_order([])) == []


def test_the_curve_is_that_of_images_in_memory(ray_session: str, glyphs: Dataset) -> None:
    train = train_of(glyphs)
    val = train.take(np.arange(20))
    settings = config(3, epochs=2, batch_size=64, augment="flip_crop")
    curves = [
        curve(build("resnet18", 10, seed=0), images, val, settings)
        for images in (train, train.take(np.arange(len(train))))
    ]
    assert curves[0] == curves[1]


def pretrain(storage: Path, file: Path, name: str) -> bytes:
    """The weights of a source that two workers pre-train on a stream, for an epoch of 189 steps."""
    source = {
        "name": "glyphs",
        "arch": "resnet18",
        "pretrain": {
            "data": "procedural:glyphs?num=420",
            "epochs": 1,
            "batch_size": 2,
            "images": "stream",
            "ingest": {"split": [0.9, 0.05, 0.05]},
        },
    }
    cluster = {"refit_workers": 2, "checkpoint_interval_s": 0}
    file.write_text(yaml.safe_dump(small_tree(storage, name=name, sources=[source], cluster=cluster)))
    assert main(["pretrain", str(file)]) == 0
    return (storage / name / "sources/glyphs/model.safetensors").read_bytes()


def parts_told(study: str) -> list[dict[str, Any]]:
    """The lines of workers that kept loop state inside an epoch."""
    logs = Path(ray._private.worker._global_node.get_logs_dir_path())
    lines = [line for path in logs.glob("worker-*.out") for line in path.read_text().splitlines() if line[:1] == "{"]
    return [row for row in map(json.loads, lines) if (row["study"], row["event"]) == (study, "part")]


def kill_after_a_part(study: str, storage: Path, killed: list[int]) -> None:
    """Kills the first worker as soon as Ray Train has taken note of its state, which is a little after it is told."""
    deadline = time.monotonic() + 240
    while not killed and time.monotonic() < deadline:
        told = [row for row in parts_told(study) if row["worker"] == 0]
        if told and list((storage / study).rglob("checkpoint_manager_snapshot.json")):
            os.kill(told[0]["pid"], signal.SIGKILL)
            killed.append(told[0]["pid"])
        time.sleep(0.02)


@pytest.mark.slow
def test_a_worker_that_dies_inside_an_epoch_costs_a_part_of_it(ray_session: str, tmp_path: Path) -> None:
    undisturbed = pretrain(tmp_path, tmp_path / "a.yaml", "whole")
    killed: list[int] = []
    killer = threading.Thread(target=kill_after_a_part, args=("killed", tmp_path, killed))
    killer.start()
    disturbed = pretrain(tmp_path, tmp_path / "b.yaml", "killed")
    killer.join()
    assert len(killed) == 1
    assert disturbed == undisturbed
    # Each worker came to its hundredth step once: the new ones began there.
    assert sorted((row["worker"], row["epoch"], row["step"]) for row in parts_told("killed")) == [
        (rank, 1, 100) for rank in (0, 1)
    ]


def read_capped(images: PipedImages, cap: int) -> int:
    """Reads an epoch with so many bytes more than the process has; returns by how many bytes its own memory grew."""
    import psutil

    process = psutil.Process()
    before = process.memory_full_info().uss
    data = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line).split()[1])
    resource.setrlimit(resource.RLIMIT_DATA, (data * 1024 + cap, resource.RLIM_INFINITY))
    most, num = before, 0
    for block in images.in_order(epoch_batches(len(images), 64, 0, 1)):
        num += len(block)
        most = max(most, process.memory_full_info().uss)
    assert num == len(images)
    return most - before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_flat_under_a_cap_that_the_images_would_break(
    ray_session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translearn.cluster.data.piped._TASK_BYTES", 8 * MIB)
    grown = []
    for num in (6_000, 12_000):
        dataset = dataset_of(f"procedural:textures?num={num}", tmp_path / str(num), max_rows=1000)
        images = train_of(dataset, size=160).images
        task = ray.remote(num_cpus=0.5, max_calls=1)(read_capped)
        grown.append(ray.get(task.remote(images, 300 * MIB)))
    decoded = 0.9 * 12_000 * 3 * 160**2
    assert decoded > 700 * MIB
    assert grown[1] < grown[0] + 32 * MIB, grown
