"""Room for large images: of those above the usual limit, one at a time on a node."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Pillow's own limit against decompression bombs: a quarter of a GiB of grey pixels.
MAX_PIXELS = 89_478_485


@contextmanager
def room_for(num_pixels: int) -> Iterator[None]:
    """Wait, with an image of more than ``MAX_PIXELS``, until no process of this node has another one in memory.

    The system takes the lock back when its holder dies.
    """
    if num_pixels <= MAX_PIXELS:
        yield
        return
    with (Path(tempfile.gettempdir()) / f"translearn-{os.getuid()}-large-image").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
