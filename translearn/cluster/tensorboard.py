"""TensorBoard event files of trials, refits, pre-training and single fine-tunes."""

from __future__ import annotations

from typing import Any

from tensorboardX import SummaryWriter

from translearn.storage import Folder

_FIGURES = ("train_loss", "val_loss", "val_error", "lr", "images_per_s")


class EventFiles:
    """One event file a run, in a folder; on storage that is no local path nothing is written."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder if folder.is_local else None
        self._writers: dict[str, SummaryWriter] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Takes the figures of an epoch of a run."""
        if self._folder is None:
            return
        run = row["run"]
        if run not in self._writers:
            self._writers[run] = SummaryWriter((self._folder / run).path)
        for name in _FIGURES:
            if name in row:
                self._writers[run].add_scalar(name, row[name], row["epoch"])

    def close(self) -> None:
        """Writes what is not written yet."""
        for writer in self._writers.values():
            writer.close()
