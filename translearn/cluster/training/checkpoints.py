"""Loop states in checkpoints: when one is due, and files that give back what was written, or nothing."""

from __future__ import annotations

import hashlib
import io
import time
from pathlib import Path
from typing import Any

import torch
from ray.train import Checkpoint

from translearn.storage.atomic import plain

_STATE = "state.pt"
_DIGEST_BYTES = hashlib.sha256().digest_size


class CheckpointClock:
    """Says when loop state is due: at most once an interval, and never at the end, where nothing is left to do."""

    def __init__(self, interval_s: float) -> None:
        """Begin an interval of so many seconds."""
        self._interval_s, self._last = interval_s, time.monotonic()

    def due(self, is_last: bool) -> bool:
        """Return whether loop state is due now; the next interval then begins."""
        now = time.monotonic()
        if is_last or now - self._last < self._interval_s:
            return False
        self._last = now
        return True


def in_place(checkpoint: Checkpoint) -> Checkpoint:
    """Return the same checkpoint, which Ray reads where it lies: it copies what is on no file system of pyarrow's."""
    made: Checkpoint = type(checkpoint)(checkpoint.path, plain(checkpoint.filesystem))
    return made


def save_state(folder: Path, saved: dict[str, Any]) -> None:
    """Write loop state, nested dicts and lists of tensors and plain values, into the directory of a checkpoint.

    Its checksum stands before it: torch's own archive does not notice a flipped bit in a tensor.
    """
    stream = io.BytesIO()
    torch.save(saved, stream)
    with (folder / _STATE).open("wb") as file:
        file.write(hashlib.sha256(stream.getbuffer()).digest())
        file.write(stream.getbuffer())


def load_state(folder: Path) -> dict[str, Any] | None:
    """Return the loop state in the directory of a checkpoint, on the CPU; None where there is none, or it is damaged.

    A run without loop state begins anew, with the same bits.
    """
    if not (folder / _STATE).exists():
        return None
    with (folder / _STATE).open("rb") as file:
        digest, content = file.read(_DIGEST_BYTES), file.read()
    if hashlib.sha256(content).digest() != digest:
        return None
    saved: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return saved
