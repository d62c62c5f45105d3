"""Prior knowledge of a search: the ranking of the sources, and past studies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Learning rates nearer than this factor are taken for the same.
_SAME_RATE = 1.5


@dataclass(frozen=True)
class TrialConfig:
    """The configuration of a trial: a source, its freeze depth, and how the rest is trained."""

    source: str
    freeze_depth: int
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Prior:
    """A ranking, as the search uses it.

    Attributes:
        weights: For each source with weights that has trials, best first, its part of the suggested trials; they
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
    """Knowledge of past studies for a search.

    Attributes:
        configs: Configurations to try first.
        lr: The learning rate to begin with in place of the default one; None where nothing is known of it.
        scratch_lr: That of scratch.
    """

    configs: Sequence[TrialConfig] = ()
    lr: float | None = None
    scratch_lr: float | None = None


NOTHING = Past()


def is_same_rate(one: float, other: float) -> bool:
    """Return whether two learning rates are so near that a trial of one tells what a trial of the other would."""
    return abs(math.log(one / other)) < math.log(_SAME_RATE)
