"""From measurements, which a node makes once, to the decisions where boundaries are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from translearn.boundary.cost import Decision, Demand, Model, Place, decide
from translearn.boundary.keys import Wanted
from translearn.boundary.ledger import Ledger
from translearn.boundary.measure import Chain, Rate, measure_chain, measure_rate


@dataclass(frozen=True)
class Budget:
    """A folder of this node for boundaries, and how many bytes all its processes may keep there together."""

    folder: Path
    num_bytes: int


def planned(
    ledger: Ledger,
    wanted: Wanted,
    depths: tuple[int, ...],
    keys: Mapping[int, str],
    num_reads: int,
    budgets: Mapping[Place, Budget],
) -> tuple[Model, tuple[Decision, ...]]:
    """What everything costs, and a decision for each depth from 1; the ledger then knows of both."""
    num = len(wanted.data)
    model = Model(
        chain=_chain(ledger, wanted, max(depths)),
        rates={place: _rate(ledger, place, budget.folder, wanted.device) for place, budget in budgets.items()},
        demand=Demand(depths, num, num * wanted.num_views, num_reads),
        room={place: ledger.room(place, budget.folder, budget.num_bytes) for place, budget in budgets.items()},
        kept={depth: ledger.kept[key][0] for depth, key in keys.items() if key in ledger.kept},
    )
    plan = decide(model)
    ledger.kept |= {keys[one.depth]: (one.place, one.bytes) for one in plan if one.place != "recompute"}
    return model, plan


def _chain(ledger: Ledger, wanted: Wanted, depth: int) -> Chain:
    key = f"{wanted.common}/{wanted.network.arch}/{depth}"
    if key not in ledger.chains:
        way = (wanted.augment, wanted.precision, wanted.device, wanted.chunk)
        ledger.chains[key] = measure_chain(wanted.network, depth, wanted.data, *way)
    return ledger.chains[key]


def _rate(ledger: Ledger, place: Place, folder: Path, device: torch.device) -> Rate:
    key = f"{device.type}/{place}"
    if key not in ledger.rates:
        ledger.rates[key] = measure_rate(folder, device)
    return ledger.rates[key]
