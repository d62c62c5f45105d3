"""At which epochs trials are compared: the schedule of successive halving (Jamieson & Talwalkar 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rungs(num_epochs: int, first: int, reduction_factor: int) -> tuple[int, ...]:
    """The epochs at which trials are compared: the full length, 1/eta of it and so on, down to ``first``; ascending."""
    found = [num_epochs]
    while (shorter := math.ceil(num_epochs / reduction_factor ** len(found))) >= first and shorter < found[-1]:
        found.append(shorter)
    return tuple(reversed(found))


def epochs_to_run(num_trials: int, rungs: Sequence[int], reduction_factor: int) -> int:
    """The epochs of a race of one generation, over all its trials.

    A little more are run where scratch races by itself, or a pilot is overtaken.
    """
    lengths = [end - start for start, end in zip((0, *rungs), rungs, strict=False)]
    return sum(math.ceil(num_trials / reduction_factor**index) * length for index, length in enumerate(lengths))
