"""``translearn drill --json | python -m translearn.drill.table``: the results as rows for docs/reliability.md."""

from __future__ import annotations

import json
import sys
from typing import Any

_HEAD = (
    "| Fault | Points, in turn | Epochs lost | Equal | Orphans | Commands | Seconds |\n|---|---|---|---|---|---|---|"
)


def table(told: str) -> str:
    """The results in what the drill printed, whose last line is JSON, as a Markdown table."""
    faults = json.loads(told.strip().splitlines()[-1])["faults"]
    return "\n".join([_HEAD, *map(_row, faults)])


def _row(fault: dict[str, Any]) -> str:
    verdict = "yes" if fault["equal"] else "NO"
    figures = fault["lost_epochs"], verdict, fault["orphans"], fault["num_commands"], f"{fault['seconds']:.0f}"
    told = "; ".join([fault["point"], *(f"**{problem}**" for problem in fault["problems"][:1])])
    return f"| {' | '.join(map(str, (fault['name'], told, *figures)))} |"


if __name__ == "__main__":
    sys.stdout.write(f"{table(sys.stdin.read())}\n")
