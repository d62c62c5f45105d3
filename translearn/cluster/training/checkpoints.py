"""What a run needs to go on, with its checksum before it: what is read is what was written, or nothing.

torch's own archive does not notice a flipped bit in a tensor, and a JSON file none in a digit.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import torch

_DIGEST_BYTES = hashlib.sha256().digest_size


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


def sealed_rows(rows: list[dict[str, Any]]) -> bytes:
    """Rows of plain values as a JSON file."""
    content = json.dumps(rows, allow_nan=False)
    return json.dumps({"sha256": _digest(content), "rows": content}).encode()


def unsealed_rows(content: bytes) -> list[dict[str, Any]] | None:
    """The rows in a file that ``sealed_rows`` made; None where it was changed or cut off."""
    try:
        file = json.loads(content)
        is_sound = file["sha256"] == _digest(file["rows"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    rows: list[dict[str, Any]] = json.loads(file["rows"]) if is_sound else []
    return rows if is_sound else None


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
