"""TensorBoard event files of trials, refits, pre-training and single fine-tunes."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from translearn.errors import StorageError
from translearn.storage.folder import Folder

_FIGURES = ("train_loss", "val_loss", "val_error", "lr", "images_per_s")


class EventFiles:
    """One event file a run, in a folder. An object store takes whole files only: there they are copied now and then.

    Args:
        folder: Where they lie.
        copy_s: Seconds between two copies to an object store.
    """

    def __init__(self, folder: Folder, copy_s: float = 60.0) -> None:
        self._folder, self._copy_s = folder, copy_s
        self._here = None if folder.is_local else tempfile.TemporaryDirectory(prefix="translearn-")
        self._writers: dict[str, SummaryWriter] = {}
        self._changed, self._copied_s = set[str](), time.monotonic()

    def add(self, row: dict[str, Any]) -> None:
        """Take the figures of an epoch of a run."""
        run = row["run"]
        if run not in self._writers:
            self._writers[run] = SummaryWriter(str(self._path(run)))
        for name in _FIGURES:
            if name in row:
                self._writers[run].add_scalar(name, row[name], row["epoch"])
        self._changed.add(run)
        if self._here and time.monotonic() - self._copied_s > self._copy_s:
            with suppress(StorageError):  # the next copy has it too, and the last one says so
                self._copy()

    def close(self) -> None:
        """Write what is not written yet."""
        for writer in self._writers.values():
            writer.close()
        if self._here:
            self._changed.update(self._writers)  # a copy before may lack what its writer's thread had not written
            self._copy()
            self._here.cleanup()

    def _path(self, run: str) -> Path:
        return Path(self._here.name if self._here else self._folder.path, run)

    def _copy(self) -> None:
        self._copied_s = time.monotonic()
        for run in sorted(self._changed):
            self._writers[run].flush()
            for file in self._path(run).iterdir():
                (self._folder / run).write_bytes(file.name, file.read_bytes())
            self._changed.discard(run)
