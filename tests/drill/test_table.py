"""What the drill prints becomes the table of docs/reliability.md."""

from __future__ import annotations

import json

from translearn.drill.run import Outcome, as_json
from translearn.drill.table import table


def test_a_row_a_fault() -> None:
    outcomes = [
        Outcome("lane", "in a checkpoint", 1, True, (), 80.4, 1),
        Outcome("head", "at once", 2, False, ("actor A",), 99.6, 3, ("trials.parquet: is missing", "more")),
    ]
    assert table(f"undisturbed: 20 epochs\n{json.dumps(as_json(outcomes))}\n").splitlines()[2:] == [
        "| lane | in a checkpoint | 1 | yes | 0 | 1 | 80 |",
        "| head | at once; **trials.parquet: is missing** | 2 | NO | 1 | 3 | 100 |",
    ]
