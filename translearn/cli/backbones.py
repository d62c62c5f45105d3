"""``translearn backbones``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from translearn.cli.options import Commands, add_json

if TYPE_CHECKING:
    from translearn.models.backbones.catalogue import Entry

_COLUMNS = "{:44} {:>6} {:>10} {:>6}  {}"


def add(commands: Commands) -> None:
    """Add the command."""
    backbones = commands.add_parser("backbones", help="the backbones that a study can name, and their weights")
    backbones.set_defaults(do=_backbones)
    backbones.add_argument(
        "pattern", metavar="PATTERN", nargs="?", default="*", help="a part of their names, or a pattern: 'timm/vit_*'"
    )
    add_json(backbones)


def _backbones(options: argparse.Namespace) -> dict[str, Any]:
    from translearn.models.backbones.catalogue import catalogue
    from translearn.models.backbones.names import has_timm

    print(_COLUMNS.format("arch", "stages", "parameters", "pixels", "weights"))
    listed = []
    for entry in catalogue(options.pattern):
        print(_line(entry))
        listed.append(asdict(entry))
    if any(entry["num_stages"] is None and not entry["reason"] for entry in listed):
        print("Give a pattern that fewer names fit to have their stages and parameters counted.")
    if not has_timm():
        print("With the extra timm there are more: pip install -c constraints.txt 'translearn[timm]'.")
    return {"backbones": listed}


def _line(entry: Entry) -> str:
    if entry.reason:
        return f"{entry.arch:44} can not be used: {entry.reason}"
    stages = "-" if entry.num_stages is None else str(entry.num_stages)
    parameters = "-" if entry.num_parameters is None else f"{entry.num_parameters / 1e6:.2f} M"
    return _COLUMNS.format(entry.arch, stages, parameters, entry.image_size, ", ".join(entry.weights) or "none")
