"""What a search is about: points of its space, the trials made of them, and heats of trials that run together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: An epoch of a trial: ``run``, ``epoch``, ``val_error``, ``val_loss`` ..., and ``reason`` where it ended the trial.
Row = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One configuration: a source, how much of it is frozen, and how the rest is trained."""

    source: str
    freeze_depth: int
    lr: float
    weight_decay: float
    is_scratch: bool


#: Learning rates nearer than this factor are taken for the same.
_SAME_RATE = 1.5


def is_same_rate(one: float, other: float) -> bool:
    """Whether two learning rates are so near that a trial of one tells what a trial of the other would."""
    return abs(math.log(one / other)) < math.log(_SAME_RATE)


#: Trials whose points have an equal one race against each other, and against no others.
League = Callable[[Point], Hashable]


def scratch_apart(point: Point) -> bool:
    """The usual leagues: scratch races for itself, so that the baseline is tuned like the rest."""
    return point.is_scratch


@dataclass(frozen=True)
class Fate:
    """What became of a point: the validation error after each epoch that it was trained, none if it diverged."""

    val_errors: Sequence[float]
    is_done: bool


class Proposals(Protocol):
    """Where points come from. What is drawn depends on what was drawn and told before, and on nothing else.

    Attributes:
        num_pilots: How many of the first points are good enough, as far as is known, to be trained whole at once.
    """

    num_pilots: int

    def draw(self, num: int) -> list[Point]:
        """The next so many points."""

    def tell(self, fates: Sequence[Fate]) -> None:
        """What became of the points that were drawn last, in their order."""


@dataclass(frozen=True)
class Contestant:
    """A trial: its place in the search, from 1, and its configuration."""

    number: int
    point: Point

    @property
    def run(self) -> str:
        """Its name: says what it is, and belongs to no other configuration, not even in another attempt."""
        point = self.point
        digest = hashlib.sha256(repr(point).encode()).hexdigest()[:6]
        return f"{self.number:03d}-{point.source}-d{point.freeze_depth}-lr{point.lr:.1e}-{digest}"


@dataclass(frozen=True)
class Heat:
    """Trials of one source that are trained together, to the same epoch.

    Attributes:
        contestants: The trials.
        until: The last epoch, the same for all.
        is_replay: Trained plainly from the first epoch, alone and from images, to check what the search gave.
    """

    contestants: tuple[Contestant, ...]
    until: int
    is_replay: bool = False

    @property
    def name(self) -> str:
        """The same for the same trials and epoch, in every attempt."""
        runs = ",".join(contestant.run for contestant in self.contestants)
        return hashlib.sha256(f"{runs} {self.until} {self.is_replay}".encode()).hexdigest()[:12]
