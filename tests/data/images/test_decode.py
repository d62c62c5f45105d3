"""Decoded splits: geometry in closed form, order, and stratified subsamples."""

from __future__ import annotations

import functools
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from sources import flat_folder

from translearn.cluster.data import stored
from translearn.data.images import decode, streamed
from translearn.data.images.decode import decode_image, decode_split, num_threads, select_split
from translearn.data.images.pixels import encode_png
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.errors import DataError
from translearn.seeds import example_key
from translearn.storage.folder import Folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    plan = plan_ingest(str(flat_folder(tmp_path_factory.mktemp("in"))))
    return ingest(plan, Folder.open(tmp_path_factory.mktemp("out")), inspected(plan))


@pytest.mark.parametrize(
    ("told", "cores", "expected"), [("3", 2, 3), ("4,2", 2, 4), (None, 2, 2), (None, 64, 8), ("64", 2, 8), ("", 5, 5)]
)
def test_a_process_decodes_with_its_share_of_the_node(monkeypatch, told, cores, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    assert num_threads() == expected


def test_decoding_and_streaming_take_no_more_threads_than_that(monkeypatch, dataset):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    taken = []
    for module in (decode, streamed):
        pool = functools.partial(_counted_pool, taken)
        monkeypatch.setattr(module, "ThreadPoolExecutor", pool)
    images = streamed.stream(select_split(dataset, "train", 8))
    images[np.arange(2)]
    decode_split(dataset, "train", 8)
    stored._decode(select_split(dataset, "train", 8), 0, 1)
    assert taken == [3, 3, 1]  # a task of Ray has one CPU


def _counted_pool(taken, num):
    taken.append(num)
    return ThreadPoolExecutor(num)


def test_centre_square_of_a_wide_image():
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 9:21] = 200  # bilinear reduction by 2 reaches one pixel beyond the square
    assert np.array_equal(decode_image(encode_png(pixels), 10), np.full((10, 10, 3), 200))
    assert np.array_equal(decode_image(encode_png(pixels.transpose(1, 0, 2)), 5), np.full((5, 5, 3), 200))


def test_reduction_is_antialiased_and_small_images_grow():
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(decode_image(encode_png(checks), 8).astype(int) - 127).max() <= 2
    assert np.array_equal(decode_image(encode_png(np.full((4, 4), 9, dtype=np.uint8)), 32), np.full((32, 32, 3), 9))


def test_a_large_jpeg_by_draft_agrees_with_the_whole():
    y, x = np.mgrid[0:600, 0:800]
    pixels = np.stack([x * 255 // 800, y * 255 // 600, (x + y) * 255 // 1400], -1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=95)
    whole = decode_image(encode_png(np.asarray(Image.open(stream))), 24)
    assert np.abs(decode_image(stream.getvalue(), 24).astype(int) - whole).max() <= 3


def test_split_is_in_order_with_labels_and_keys(dataset):
    images = decode_split(dataset, "train", 12)
    [table] = dataset.tables("train")
    assert images.labels.tolist() == table["label"].to_pylist()
    assert images.keys.tolist() == [example_key(name) for name in table["id"].to_pylist()]
    assert np.array_equal(images.images[3], decode_image(table["image"][3].as_py(), 12))


def test_subsample_is_stratified_nested_and_drawn_from_the_seed(dataset):
    two, five = (decode_split(dataset, "train", 12, per_class=num) for num in (2, 5))
    assert np.bincount(two.labels).tolist() == [2, 2]
    assert set(two.keys.tolist()) < set(five.keys.tolist())
    assert set(decode_split(dataset, "train", 12, 5, seed=1).keys.tolist()) != set(five.keys.tolist())
    assert len(decode_split(dataset, "train", 12, per_class=1000)) == 28


def test_unknown_split(dataset):
    with pytest.raises(DataError, match=r"must have images in the split 'dev', but got \['train', 'val', 'test'\]"):
        decode_split(dataset, "dev", 12)
