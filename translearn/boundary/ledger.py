"""What the processes of a node know together: what was measured, and which boundaries have their room where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from translearn.boundary.cost import Place
from translearn.boundary.measure import Chain, Rate
from translearn.boundary.node_folder import locked

_FILE, _LOCK = "ledger.json", "ledger.lock"
_FREE_PART = 0.9


@dataclass
class Ledger:
    """What processes write down for each other.

    Attributes:
        chains: What stages cost, by examples, source and depth.
        rates: How fast each place is, by kind of device and place.
        kept: The place and the bytes of each boundary, by its key.
    """

    chains: dict[str, Chain] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    kept: dict[str, tuple[Place, int]] = field(default_factory=dict)

    def used(self, place: Place) -> int:
        """Bytes that are given away."""
        return sum(size for where, size in self.kept.values() if where == place)

    def room(self, place: Place, folder: Path, budget: int) -> int:
        """Bytes left of a budget, and no more than the disk has free."""
        return max(0, min(budget - self.used(place), int(_FREE_PART * shutil.disk_usage(folder).free)))


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The ledger in a folder, while no other process has it; what is changed in it is kept unless an error comes."""
    with locked(folder / _LOCK):
        path = folder / _FILE
        ledger = _parsed(json.loads(path.read_text())) if path.exists() else Ledger()
        yield ledger
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(ledger)))
        part.replace(path)


def _parsed(facts: dict[str, Any]) -> Ledger:
    chains = {
        key: Chain(one["input_s"], tuple(one["stages_s"]), tuple(one["bytes"])) for key, one in facts["chains"].items()
    }
    rates = {key: Rate(**one) for key, one in facts["rates"].items()}
    return Ledger(chains, rates, {key: (place, size) for key, (place, size) in facts["kept"].items()})
