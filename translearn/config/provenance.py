"""The commit of this source tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: Tells a job the commit of the source tree that was sent with it.
VARIABLE = "TRANSLEARN_COMMIT"


def source_commit() -> str | None:
    """Return the commit, marked where files differ from it; None outside of a checkout, as when it is installed."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE] or None
    try:
        command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
