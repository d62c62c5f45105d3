"""What is told to a tracking server of a run of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """Figures by name, of one epoch, at a time in Unix seconds."""

    number: int
    figures: Mapping[str, float]
    at: float


@dataclass(frozen=True)
class RunReport:
    """What is told of a run: all that is known, or what is new.

    Attributes:
        stage: Of the study: ``pretrain``, ``search``, ``refit``, ``finetune``, or ``study`` for its result.
        name: Of the run, unique in its stage.
        params: What it does; a value that was told before stays as it was.
        steps: Its epochs.
        status: ``done``, ``stopped`` early or ``failed``; None while it runs.
        tags: What else is said at its end.
    """

    stage: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    status: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name among all runs of the study."""
        return f"{self.stage}/{self.name}"

    @property
    def ending(self) -> str:
        """How and when it ended: where the server has the same, it has everything."""
        return f"{self.status} {max((step.number for step in self.steps), default=0)}"
