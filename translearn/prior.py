"""What is known of the sources before any trial: how a ranking shapes a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
