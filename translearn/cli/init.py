"""``translearn init``."""

from __future__ import annotations

import argparse
from typing import Any

from translearn.cli.options import Commands, add_json


def add(commands: Commands) -> None:
    """Add the command."""
    init = commands.add_parser("init", help="write the study file of a folder of images")
    init.set_defaults(do=_init)
    init.add_argument("source", metavar="SRC", help="a folder, a CSV or Parquet file, or another source of images")
    add_json(init)


def _init(options: argparse.Namespace) -> dict[str, Any]:
    from translearn.study.start.file import init

    path, said = init(options.source)
    print(f"{said}\nStart it: translearn run {path}")
    return {"study": str(path)}
