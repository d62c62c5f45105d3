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
    """Write loop state into the directory of a checkpoint."""
    (folder / _STATE).write_bytes(sealed(saved))


def load_state(folder: Path) -> dict[str, Any] | None:
    """Return the loop state in the directory of a checkpoint; None where there is none, or it is damaged.

    A run without loop state begins anew, with the same bits.
    """
    file = folder / _STATE
    return unsealed(file.read_bytes()) if file.exists() else None


def sealed(saved: dict[str, Any]) -> bytes:
    """Return loop state, nested dicts and lists of tensors and plain values, as bytes behind their checksum.

    torch's own archive does not notice a flipped bit in a tensor.
    """
    stream = io.BytesIO()
    torch.save(saved, stream)
    content = stream.getvalue()
    return hashlib.sha256(content).digest() + content


def unsealed(content: bytes) -> dict[str, Any] | None:
    """Return the loop state in bytes that ``sealed`` made, on the CPU; None where they were changed or cut off."""
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    saved: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return saved
