"""How trials that are due at the same time are grouped: what can be shared against what can be done at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from translearn.contest import Contestant

#: What the shared forward pass of an epoch costs, over a whole trial's epoch at freeze depth 0.
_SHARED = 1 / 3


def group(
    contestants: Sequence[Contestant], num_stages: Mapping[str, int], num_slots: int, most: int
) -> list[tuple[Contestant, ...]]:
    """Trials as heats, in the order in which they should start.

    Trials of one source share its frozen stages, so they run together, but in no fewer parts than keep every slot
    busy. Full fine-tunes share nothing and run alone. Linear probes, which cost next to nothing and tell most about a
    source, come first, then the most expensive heats.

    Args:
        contestants: What is due.
        num_stages: The stages of each source's architecture.
        num_slots: How many heats run at once.
        most: The most trials of a heat, for memory's sake.
    """
    costs = {one: _own_cost(one, num_stages) for one in contestants}
    fair = sum(costs.values()) / num_slots
    probes: list[tuple[Contestant, ...]] = []
    others: list[tuple[Contestant, ...]] = []
    for members in _by_source(contestants, num_stages):
        is_probe = costs[members[0]] == 0
        parts = max(1, math.ceil(len(members) / most), 0 if is_probe else round(_cost(members, costs) / (fair or 1)))
        (probes if is_probe else others).extend(_split(members, min(parts, len(members))))
    return probes + sorted(others, key=lambda members: -_cost(members, costs))


def _by_source(contestants: Sequence[Contestant], num_stages: Mapping[str, int]) -> list[list[Contestant]]:
    """Trials that can share: the probes of a source, its partly frozen ones from shallow to deep; others alone."""
    groups: dict[tuple[str, str], list[Contestant]] = {}
    for one in sorted(contestants, key=lambda one: (one.point.freeze_depth, one.number)):
        depth, source = one.point.freeze_depth, one.point.source
        kind = "probes" if depth == num_stages[source] else "partly frozen" if depth else f"full {one.number}"
        groups.setdefault((source, kind), []).append(one)
    return list(groups.values())


def _own_cost(contestant: Contestant, num_stages: Mapping[str, int]) -> float:
    """What a trial trains itself, over a full fine-tune: the stages of the backbones cost about the same."""
    return 1 - contestant.point.freeze_depth / num_stages[contestant.point.source]


def _cost(members: Sequence[Contestant], costs: Mapping[Contestant, float]) -> float:
    return _SHARED + sum(costs[one] for one in members)


def _split(members: Sequence[Contestant], parts: int) -> list[tuple[Contestant, ...]]:
    bounds = [round(index * len(members) / parts) for index in range(parts + 1)]
    return [tuple(members[start:end]) for start, end in itertools.pairwise(bounds)]
