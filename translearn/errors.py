"""Errors that a user can act on, and the one shape of their messages.

Exceptions cross Ray processes by pickle, so none has an ``__init__`` of its own: each carries one
message string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

EXIT_DONE, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2

_Value = TypeVar("_Value")


class TranslearnError(Exception):
    """Something that translearn was asked for could not be done."""


class InputError(TranslearnError):
    """The user's input (study file, data, weights, options) breaks a rule."""


class SpecError(InputError):
    """A study file or an override breaks a rule."""


class DataError(InputError):
    """A data set is missing, malformed or inconsistent."""


class WeightsError(InputError):
    """Weights are missing, unsafe, or do not fit the architecture."""


class StorageError(TranslearnError):
    """The storage cannot be read or written, or holds something else than expected."""


class WorkersLostError(TranslearnError):
    """Workers of a run died, or never started."""


class NonFiniteError(TranslearnError):
    """Training diverged: a loss or a trained tensor became infinite or not a number, in the epoch ``epoch``."""

    epoch: int = 0


def fault(where: str, rule: str, value: object, remedy: str) -> str:
    """One line that says where, which rule, which value, and what to do.

    >>> fault("search.trials", "must be at least 1", 0, "Use 1 to try the default configuration only.")
    'search.trials: must be at least 1, but got 0. Use 1 to try the default configuration only.'
    """
    return f"{where}: {rule}, but got {value}. {remedy}".rstrip()


def raise_faults(faults: list[str], kind: type[TranslearnError] = InputError) -> None:
    """Raise one ``kind`` that holds every fault, a line each; do nothing when there is none."""
    if faults:
        raise kind("\n".join(faults))


def collected(faults: list[str], check: Callable[[], _Value]) -> _Value | None:
    """Return what a check returns; where it raises InputError, add its lines to ``faults`` and return None."""
    try:
        return check()
    except InputError as error:
        faults += str(error).splitlines()
    return None
