"""Finds the source, the freeze depth and the learning rate with the lowest target error."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from translearn.api import Study, load_result, load_study, run
    from translearn.deploy.model import Model, load_model
    from translearn.study.result import Result

__all__ = ["Model", "Result", "Study", "__version__", "load_model", "load_result", "load_study", "run"]
__version__ = "0.1.0"

_PLACES = {
    "Model": "translearn.deploy.model",
    "Result": "translearn.study.result",
    "Study": "translearn.api",
    "load_model": "translearn.deploy.model",
    "load_result": "translearn.api",
    "load_study": "translearn.api",
    "run": "translearn.api",
}


if not TYPE_CHECKING:  # to a checker every name would be an attribute

    def __getattr__(name: str) -> Any:
        """Import the Python interface when it is first used: torch and Ray take seconds."""
        if name in _PLACES:
            return getattr(importlib.import_module(_PLACES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name also what is not imported yet, for completion."""
    return sorted({*globals(), *_PLACES})
