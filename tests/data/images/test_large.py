"""Images above the usual limit of pixels: allowed where the user says so, and one at a time."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from translearn.data.images import large
from translearn.data.images.decode import decode_images
from translearn.data.images.pixels import Decoding, encode_png, opened

CONTENT = encode_png(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.fixture(autouse=True)
def low_limit(monkeypatch, tmp_path):
    """What has more than 10 pixels is large."""
    monkeypatch.setattr(large, "MAX_PIXELS", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_of_large_images_one_at_a_time_is_open(monkeypatch):
    at_once, most, lock = [], [], threading.Lock()

    def look(_):
        with opened(CONTENT, max_pixels=100) as image:
            with lock:
                at_once.append(1)
                most.append(len(at_once))
            image.load()
            with lock:
                at_once.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(40)))
    assert len(most) == 40
    assert max(most) == 1


def test_another_process_that_holds_the_room_is_waited_for(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(large.fcntl, "flock", lambda held, how: calls.append((held.name, how)))
    with large.room_for(10):
        pass
    assert calls == []
    with large.room_for(11):
        assert [how for _, how in calls] == [large.fcntl.LOCK_EX]
        assert calls[0][0].startswith(str(tmp_path))


def test_large_images_are_decoded_by_many_threads_as_by_one():
    images = decode_images([CONTENT] * 20, 2, Decoding(max_pixels=12), threads=8)
    assert np.array_equal(images, decode_images([CONTENT] * 20, 2, Decoding(max_pixels=12), threads=1))
