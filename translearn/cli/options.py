"""What commands share."""

from __future__ import annotations

import argparse
import os
import warnings
from typing import Any

from translearn.config.duration import seconds_of

#: What ``add_subparsers`` gives.
Commands = Any


def add_common(command: argparse.ArgumentParser) -> None:
    """Add the options of every command that may need a Ray."""
    command.add_argument("--dry-run", action="store_true", help="check everything, then try it on a tiny sample")
    add_json(command)
    command.add_argument("--address", metavar="ADDRESS", help="a Ray cluster; default: RAY_ADDRESS, else a local Ray")


def add_json(command: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    command.add_argument("--json", action="store_true", help="end with one line of JSON")


def add_study(command: argparse.ArgumentParser, nargs: str | None = None, help_text: str = "a study file") -> None:
    """Add a study file and the overrides of its fields."""
    command.add_argument("study", metavar="STUDY.yaml", nargs=nargs, help=help_text)
    command.add_argument("--set", action="append", default=[], metavar="a.b=c", help="override a field")


def add_time(command: argparse.ArgumentParser) -> None:
    """Add ``--time``."""
    command.add_argument("--time", metavar="30m", help="the time of the whole study, as time_budget_s: 90s, 1h30m")


def time_override(options: argparse.Namespace) -> list[str]:
    """Return the override that ``--time`` stands for. Raises InputError where it is no time."""
    given = getattr(options, "time", None)
    return [] if given is None else [f"time_budget_s={seconds_of(given, '--time')}"]


def quiet() -> None:
    """Keep notices of libraries that no user can act on out of the output."""
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
