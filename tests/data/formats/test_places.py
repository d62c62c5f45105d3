"""Images in memory, on disk and streamed: the same bits; folders on disk that nothing outlives."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sources import flat_folder

from translearn.data.dataset import Dataset
from translearn.data.images import on_disk
from translearn.data.images.decode import decode_split, decoded, select_split
from translearn.data.images.on_disk import DiskImages, disk_root, remove_idle, sweep
from translearn.data.images.placement import Room, choose_place
from translearn.data.images.streamed import stream
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.data.ingest.shards import ShardWriter
from translearn.errors import DataError, StorageError
from translearn.storage.folder import Folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """40 images, in shards of at most 5."""
    plan = plan_ingest(str(flat_folder(tmp_path_factory.mktemp("in"))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("translearn.data.ingest.ingest.ShardWriter", lambda folder: ShardWriter(folder, max_rows=5))
        found = ingest(plan, Folder.open(tmp_path_factory.mktemp("out")), inspected(plan))
    assert len(found.shards("train")) > 3
    return found


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """Disk images of a test lie in its own folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


@pytest.mark.parametrize("make", [DiskImages, stream])
@pytest.mark.parametrize("per_class", [None, 3])
def test_every_place_has_the_bits_of_memory(dataset, make, per_class):
    expected = decode_split(dataset, "train", 32, per_class, seed=4)
    selection = select_split(dataset, "train", 32, per_class, seed=4)
    images = make(selection)
    assert (images.shape, images.dtype, images.ndim) == (expected.images.shape, np.uint8, 4)
    rows = np.random.default_rng(0).permutation(len(selection.rows))
    for again in (images, pickle.loads(pickle.dumps(images))):
        assert np.array_equal(again[rows], expected.images[rows])
        assert np.array_equal(again[slice(1, 4)], expected.images[1:4])
    assert np.array_equal(selection.labels, expected.labels)
    assert np.array_equal(selection.keys, expected.keys)


def test_blocks_of_shards_are_the_whole_in_order(dataset, monkeypatch):
    monkeypatch.setattr("translearn.data.images.decode._BLOCK_BYTES", 2 * 3 * 16**2)
    parts = list(decoded(select_split(dataset, "train", 16)))
    assert max(len(part) for part in parts) == 2
    assert np.array_equal(np.concatenate(parts), decode_split(dataset, "train", 16).images)


def test_what_changes_the_bits_changes_the_fingerprint(dataset):
    base = select_split(dataset, "train", 32).fingerprint()
    assert base == select_split(dataset, "train", 32, seed=9).fingerprint()  # all images: nothing is drawn
    others = [("val", 32, None, 0), ("train", 33, None, 0), ("train", 32, 2, 0), ("train", 32, 2, 1)]
    assert len({base, *(select_split(dataset, *other).fingerprint() for other in others)}) == 5


def test_those_who_come_at_once_decode_once(dataset, monkeypatch):
    calls, expected = [], decode_split(dataset, "train", 32).images
    monkeypatch.setattr(on_disk, "decoded", lambda selection: calls.append(1) or decoded(selection))
    selection = select_split(dataset, "train", 32)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: DiskImages(selection)[slice(None)], range(8)))
    assert len(calls) == 1
    assert all(np.array_equal(images, expected) for images in found)


def test_a_writer_that_was_killed_holds_up_nobody(dataset, tmp_path):
    images = DiskImages(select_split(dataset, "train", 32))
    (tmp_path / "pickled").write_bytes(pickle.dumps(images))
    script = """
import os, pickle, signal, sys, tempfile, pathlib
from translearn.data.images import on_disk
tempfile.tempdir = sys.argv[2]
def killed(selection):
    yield from [next(on_disk_decoded(selection))]
    os.kill(os.getpid(), signal.SIGKILL)
on_disk_decoded, on_disk.decoded = on_disk.decoded, killed
pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())[slice(None)]
"""
    command = [sys.executable, "-c", script, str(tmp_path / "pickled"), tempfile.gettempdir()]
    assert subprocess.run(command, check=False).returncode == -9
    assert (images.folder / "images.part").exists()
    assert not (images.folder / "images.npy").exists()
    assert np.array_equal(images[slice(None)], decode_split(dataset, "train", 32).images)


def test_a_full_disk_is_named(dataset, monkeypatch):
    def full(selection):
        yield next(decoded(selection))
        raise OSError(errno.ENOSPC, "No space left")

    images = DiskImages(select_split(dataset, "train", 32))
    with monkeypatch.context() as patch:
        patch.setattr(on_disk, "decoded", full)
        with pytest.raises(StorageError, match=r"cannot be written \(.*No space left\)\. Free space on this disk\."):
            images[slice(None)]
    assert len(images[slice(None)]) == len(images)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither /proc nor a limit of the heap")
def test_memory_of_writer_and_readers_does_not_grow_with_the_images(tmp_path):
    """256 MiB under a limit of the heap that 64 MiB more would break; mapped files do not count as heap."""
    script = """
import resource, sys, tempfile, types, numpy as np
from translearn.data.images import on_disk
tempfile.tempdir = sys.argv[1]
used = 1024 * int(open("/proc/self/status").read().split("VmData:")[1].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (used + 64 * 2**20,) * 2)
on_disk.decoded = lambda _: (np.full((4, 2**20), n, np.uint8) for n in range(64))
images = on_disk.DiskImages(types.SimpleNamespace(shape=(256, 2**20), fingerprint=lambda: "a"))
print(images[np.array([0, 255, 100])][:, 7].tolist())
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[0, 63, 25]"


def test_what_is_held_stays_and_what_is_not_goes(dataset):
    images = DiskImages(select_split(dataset, "train", 32))
    images[slice(None)]
    assert not remove_idle(images.folder)
    images.close()
    assert remove_idle(images.folder)
    assert not images.folder.exists()
    assert len(images[np.arange(3)]) == 3  # made again


def test_sweeping_takes_old_and_idle_folders_only(dataset):
    kept, old, held = (DiskImages(select_split(dataset, "train", size)) for size in (16, 17, 18))
    for images in (kept, old, held):
        images[slice(None)]
    kept.close()
    old.close()
    for images in (old, held):
        os.utime(images.folder, (0, 0))
    sweep()
    assert [images.folder.exists() for images in (kept, old, held)] == [True, False, True]


def test_a_root_of_another_user_is_refused(monkeypatch):
    root = disk_root()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    root.rename(root.with_name("translearn-12345"))
    with pytest.raises(StorageError, match=r"must belong to user 12345, but got user \d+\. Set TMPDIR to a folder"):
        disk_root()


def test_a_stream_refuses_a_damaged_shard_and_one_that_packs_its_images(dataset, tmp_path, monkeypatch):
    for name in dataset.folder.names():
        (Folder.open(tmp_path / "copy")).write_bytes(name, dataset.folder.read_bytes(name))
    copy = Dataset(Folder.open(tmp_path / "copy"), dataset.manifest)
    selection = select_split(copy, "train", 32)
    file = tmp_path / "copy" / dataset.shards("train")[0].file
    pq.write_table(pq.read_table(file).cast(pa.schema(pq.read_schema(file))), file, compression="gzip")
    with pytest.raises(DataError, match="must have the SHA-256"):
        stream(selection)
    monkeypatch.setattr(Dataset, "content", lambda self, shard: self.folder.read_bytes(shard.file))
    with pytest.raises(DataError) as error:
        stream(selection)
    remedy = "Ingest again, or set target.images to memory."
    assert str(error.value) == f"{file}: must hold its images uncompressed, but got another encoding. {remedy}"


GB = 10**9


@pytest.mark.parametrize(
    ("num_bytes", "wanted", "num_sets", "place", "why"),
    [
        (1.2 * GB, "auto", 1, "memory", "images: 1.2 GB decoded, in memory (object store holds 6.8 GB)"),
        (3.4 * GB, "auto", 1, "memory", "images: 3.4 GB decoded, in memory (object store holds 6.8 GB)"),
        (3.4 * GB, "auto", 2, "disk", "on each node's disk (object store holds 6.8 GB, disk has 40.0 GB free)"),
        (20.1 * GB, "auto", 1, "stream", "but streamed, decoded at each reading (object store holds 6.8 GB, disk has"),
        (900 * GB, "memory", 1, "memory", "images: 900.0 GB decoded, in memory (as target.images says)"),
        (1, "stream", 1, "stream", "images: 0 kB decoded, but streamed, decoded at each reading (as target.images"),
    ],
)
def test_the_place_follows_from_sizes_unless_it_is_given(num_bytes, wanted, num_sets, place, why):
    found = choose_place(int(num_bytes), Room(memory=6_800_000_000, disk=40 * GB), wanted, num_sets)
    assert found.place == place
    assert re.search(re.escape(why), found.why)
