"""The driver at work in a study, as its lock says."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from translearn.errors import TranslearnError, fault

_RULE = "must have one command at work at a time"


def this_driver() -> dict[str, Any]:
    """Return this process, as JSON."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}


def is_dead(driver: dict[str, Any]) -> bool:
    """Return whether a driver of this machine has ended; drivers of other machines cannot be seen."""
    if driver["host"] != socket.gethostname():
        return False
    try:
        os.kill(driver["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def refused(where: str, content: str) -> TranslearnError:
    """Return the error of a command that finds another one at work.

    Args:
        where: The study.
        content: What the lock says: the driver as JSON; anything else is one that has not said yet who it is.
    """
    remedy = "Wait for it to end, or stop it; this command then goes on where it was."
    return TranslearnError(fault(where, _RULE, _who(content), remedy))


def ousted(where: str, content: str | None) -> TranslearnError:
    """Return the error of a command whose lock another one has taken, or somebody has deleted (None)."""
    other = "its lock is gone" if content is None else f"its lock was taken by {_who(content)}"
    remedy = "This one was silent for too long, and ends here: nothing is lost. Run it again when no other one works."
    return TranslearnError(fault(where, _RULE, other, remedy))


def _who(content: str) -> str:
    try:
        driver = json.loads(content)
    except ValueError:
        return "one that has just begun"
    return f"one on {driver['host']}, process {driver['pid']}, since {driver['since']}"
