"""What is known before any trial: how a ranking, and past studies, shape a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from translearn.contest import Point


@dataclass(frozen=True)
class Prior:
    """A ranking, as the search uses it.

    Attributes:
        weights: For each source with weights that has trials, best first, its part of the trials that are drawn; they
            sum to 1.
        freeze_depths: The recommended freeze depth of each.
    """

    weights: Mapping[str, float]
    freeze_depths: Mapping[str, int]

    @property
    def order(self) -> tuple[str, ...]:
        """The sources, best first."""
        return tuple(self.weights)


@dataclass(frozen=True)
class Past:
    """What past studies teach a search.

    Attributes:
        points: Configurations to try first.
        lr: The learning rate to begin with in place of the default one; None where nothing is known of it.
        scratch_lr: That of scratch.
    """

    points: Sequence[Point] = ()
    lr: float | None = None
    scratch_lr: float | None = None


NOTHING = Past()
