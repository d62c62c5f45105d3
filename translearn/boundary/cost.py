"""Whether a boundary is worth keeping, and where: pure functions of measured seconds, bytes and rates.

With up to six depths every assignment of depths to places can be tried, so the plan is the best one of the model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from translearn.boundary.chain import starts
from translearn.boundary.measure import Chain, Rate
from translearn.data.images.placement import amount

Place = Literal["recompute", "memory", "disk"]
_PLACES: tuple[Place, ...] = ("recompute", "memory", "disk")
#: A boundary is only kept where that saves this share of the whole: measurements are not more exact.
_WORTH = 0.02


@dataclass(frozen=True)
class Decision:
    """Where the boundary at a depth comes from.

    Attributes:
        depth: The freeze depth, at least 1.
        place: ``recompute`` it in each epoch, or read it from ``memory`` or ``disk``.
        bytes: What it takes there; 0 where it is computed.
        saves_s: Seconds that this saves over computing it, its filling counted; 0 where it is computed.
        reason: Why, in words.
    """

    depth: int
    place: Place
    bytes: int
    saves_s: float
    reason: str


@dataclass(frozen=True)
class Demand:
    """What is asked for.

    Attributes:
        depths: Freeze depths that are read together.
        num_examples: N.
        num_rows: Of a stored boundary: N, or N for each view.
        num_reads: Passes over the examples that are still to come.
    """

    depths: tuple[int, ...]
    num_examples: int
    num_rows: int
    num_reads: int


@dataclass(frozen=True)
class Model:
    """All that the cost of a plan follows from.

    Attributes:
        room: Bytes left in each place.
        kept: Where boundaries are that are kept already: they take neither room nor filling.
    """

    chain: Chain
    rates: Mapping[Place, Rate]
    demand: Demand
    room: Mapping[Place, int]
    kept: Mapping[int, Place]

    def num_bytes(self, depth: int) -> int:
        """Bytes of the whole boundary at a depth."""
        return self.chain.bytes[depth - 1] * self.demand.num_rows

    def seconds(self, plan: Mapping[int, Place]) -> float:
        """What filling and all reads take."""
        stored = {depth: place for depth, place in plan.items() if place != "recompute"}
        reads = self.demand.num_examples * self.demand.num_reads
        return self._filling_s(stored) + reads * self._image_s(stored)

    def read_s(self, depth: int, place: Place) -> float:
        """Seconds an image of reading a stored boundary."""
        return self.chain.bytes[depth - 1] / self.rates[place].read

    def fits(self, plan: Mapping[int, Place]) -> bool:
        """Whether what the plan adds has room."""
        added = [(place, self.num_bytes(depth)) for depth, place in plan.items() if depth not in self.kept]
        return all(sum(size for where, size in added if where == place) <= room for place, room in self.room.items())

    def plans(self) -> Iterator[dict[int, Place]]:
        """All plans that have room."""
        depths = [depth for depth in self.demand.depths if depth]
        options = [("recompute", self.kept[depth]) if depth in self.kept else _PLACES for depth in depths]
        plans: Iterator[dict[int, Place]] = (dict(zip(depths, one, strict=True)) for one in itertools.product(*options))
        return filter(self.fits, plans)

    def _filling_s(self, stored: Mapping[int, Place]) -> float:
        added = {depth: place for depth, place in stored.items() if depth not in self.kept}
        if not added:
            return 0.0
        writing = sum(self.chain.bytes[depth - 1] / self.rates[place].write for depth, place in added.items())
        return self.demand.num_rows * (self.chain.prefix_s(max(added)) + writing)

    def _image_s(self, stored: Mapping[int, Place]) -> float:
        """Seconds an image of one pass: reading what is stored, computing the rest."""
        total = 0.0
        for depth, start in starts(self.demand.depths, stored).items():
            if start is not None:
                total += sum(self.chain.stages_s[start:depth])
            else:
                total += self.read_s(depth, stored[depth]) if depth else self.chain.input_s
        return total


def decide(model: Model) -> tuple[Decision, ...]:
    """The cheapest plan with room, a decision for each depth from 1; a stored boundary must save 2 % of the whole."""
    whole_s = model.seconds({})

    def price(plan: Mapping[int, Place]) -> float:
        return model.seconds(plan) + _WORTH * whole_s * sum(place != "recompute" for place in plan.values())

    best = min(model.plans(), key=price)
    return tuple(_decision(model, best, depth, whole_s) for depth in sorted(best))


def _decision(model: Model, plan: Mapping[int, Place], depth: int, whole_s: float) -> Decision:
    place, size, num_reads = plan[depth], model.num_bytes(depth), model.demand.num_reads
    if place != "recompute":
        saves_s = model.seconds({**plan, depth: "recompute"}) - model.seconds(plan)
        reason = f"{num_reads} reads of {amount(size)} save {saves_s:.1f} of {whole_s:.1f} s"
        return Decision(depth, place, size, saves_s, reason)
    others = [other for option in _PLACES[1:] if model.fits(other := {**plan, depth: option})]
    if not others:
        left = " and ".join(f"{amount(model.room[option])} of {option}" for option in _PLACES[1:])
        return Decision(depth, place, 0, 0.0, f"{amount(size)} do not fit: {left} are left")
    gain_s = model.seconds(plan) - min(map(model.seconds, others))
    return Decision(depth, place, 0, 0.0, f"storing it would save {gain_s:.1f} of {whole_s:.1f} s, too little")
