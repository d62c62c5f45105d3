"""Finds the source, the freeze depth and the learning rate with the lowest target error."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["__version__", "load_model", "load_study", "run"]
__version__ = "0.1.0"

_PLACES = {"load_model": "translearn.deploy.model", "load_study": "translearn.api", "run": "translearn.api"}


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first used: torch and Ray take seconds."""
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
