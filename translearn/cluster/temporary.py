"""Folders for a moment, which do not outlive a process that is killed by more than the next one's start."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "translearn-checkpoint-"
_NAME = re.compile(rf"{_PREFIX}(\d+)-\w+")


@contextmanager
def checkpoint_folder() -> Iterator[Path]:
    """Yield a new folder on this node, deleted when the block ends."""
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder:
        yield Path(folder)


def sweep_checkpoint_folders() -> None:
    """Delete the folders of processes that have ended."""
    for path in Path(tempfile.gettempdir()).iterdir():
        if (name := _NAME.fullmatch(path.name)) and not _is_alive(int(name[1])):
            shutil.rmtree(path, ignore_errors=True)  # where it is another user's, it stays


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
