"""Names of studies and of their parts."""

from __future__ import annotations

import re


def as_name(text: str) -> str:
    """Return a text in the form of a study's name; empty where nothing of it can be one.

    >>> as_name(".my pets")
    'my-pets'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip("._-")[:64]
