"""Images above the usual limit of pixels: allowed where the user says so, and one at a time."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_memory_is_that_of_one_large_image_at_any_number_of_threads():
    script = """
import resource, sys
from PIL import Image
from translearn.data.images import large
from translearn.data.images.decode import decode_images
from translearn.data.images.pixels import encode_png
large.MAX_PIXELS, side = 10, 5000
content = encode_png(Image.new("RGBA", (side, side)))
used = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = used()
decode_images([content] * 8, 32, threads=8)
print((used() - before) / side**2)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 30  # bytes a pixel
