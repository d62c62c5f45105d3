"""Loop state as bytes behind their checksum, and when it is due.

torch's own archive does not notice a flipped bit in a tensor.
"""

from __future__ import annotations

import hashlib
import io
import time
from typing import Any

import torch

_DIGEST_BYTES = hashlib.sha256().digest_size


class CheckpointClock:
    """Says when loop state is due: at most once an interval, and never at the end, where nothing is left to do."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s, self._last = interval_s, time.monotonic()

    def due(self, is_last: bool) -> bool:
        """Return whether loop state is due now; the interval then begins anew."""
        now = time.monotonic()
        if is_last or now - self._last < self._interval_s:
            return False
        self._last = now
        return True


def sealed(saved: dict[str, Any]) -> bytes:
    """Loop state, nested dicts and lists of tensors and plain values, as bytes."""
    stream = io.BytesIO()
    torch.save(saved, stream)
    content = stream.getvalue()
    return hashlib.sha256(content).digest() + content


def unsealed(content: bytes) -> dict[str, Any] | None:
    """The loop state in bytes that ``sealed`` made, on the CPU; None where they were changed or cut off."""
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    saved: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return saved
