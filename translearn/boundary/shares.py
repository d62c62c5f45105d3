"""What runs that share their input take of the time that it costs, and what it would cost each of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shares:
    """Seconds of input, by a run's freeze depth.

    Attributes:
        part_s: A run's part: each segment of the way is paid in equal parts by the runs that take it.
        alone_s: What the same way takes one run alone.
    """

    part_s: Mapping[int, float]
    alone_s: Mapping[int, float]

    def __add__(self, other: Shares) -> Shares:
        return Shares(_sum(self.part_s, other.part_s), _sum(self.alone_s, other.alone_s))

    def saved_s(self, depth: int) -> float:
        """What a run at this depth would take longer alone."""
        return self.alone_s[depth] - self.part_s[depth]


def shares(segments_s: Mapping[int, float], starts: Mapping[int, int | None], depths: Iterable[int]) -> Shares:
    """Divides what a feed took between its runs.

    Args:
        segments_s: Seconds of the segment that ends at each depth.
        starts: The depth at which each segment begins, as of ``chain.starts``; None where it is read.
        depths: The freeze depth of each run.
    """
    num_runs = Counter(depths)
    ways = {depth: _way(depth, starts) for depth in num_runs}
    users = Counter({end: sum(num for depth, num in num_runs.items() if end in ways[depth]) for end in starts})
    return Shares(
        {depth: sum(segments_s[end] / users[end] for end in way) for depth, way in ways.items()},
        {depth: sum(segments_s[end] for end in way) for depth, way in ways.items()},
    )


def _way(depth: int, starts: Mapping[int, int | None]) -> list[int]:
    """The ends of the segments that lead to a depth."""
    way, end = [], depth
    while True:
        way.append(end)
        start = starts[end]
        if start is None:
            return way
        end = start


def _sum(one: Mapping[int, float], other: Mapping[int, float]) -> dict[int, float]:
    return {depth: seconds + other[depth] for depth, seconds in one.items()}
