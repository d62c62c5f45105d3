"""Lines of JSON for Ray's logs, each with its study, trial and worker."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any

#: What an epoch's line tells of its row.
LOGGED = ("epoch", "train_loss", "val_loss", "val_error", "images_per_s", "reason")


def log(event: str, study: str, trial: str, worker: int, **fields: Any) -> None:
    """Print a line of JSON, which Ray keeps in the log of this process: see the dashboard, or ``ray logs``.

    Args:
        event: ``epoch``; ``part``, where loop state was kept inside one; ``unreadable``, a checkpoint.
        study: The study's name.
        trial: The trial's or the refit's name.
        worker: Its number among the workers of the trial or the refit, from 0.
        fields: What else is known; what JSON has not is written as text.
    """
    where = {"study": study, "trial": trial, "worker": worker, "host": socket.gethostname(), "pid": os.getpid()}
    line = json.dumps({"time": round(time.time(), 3), "event": event, **where, **fields}, default=str)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
