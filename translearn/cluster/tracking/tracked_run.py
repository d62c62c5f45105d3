"""The runs that a study sends to trackers beside Tune's trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class TrackedRun:
    """A refit, a pre-training, a single fine-tune or the result of a study.

    It has the attributes that Ray's logger callbacks read of a Tune trial, so the same callbacks log it.

    Attributes:
        stage: ``pretrain``, ``refit``, ``finetune`` or ``study``.
        trial_id: Its name, unique in its stage.
        config: Its parameters.
    """

    stage: str
    trial_id: str
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.trial_id


def stage_of(trial: Any) -> str:
    """Return the stage of a tracked run; that of Tune's trials is ``search``."""
    return str(getattr(trial, "stage", "search"))


def key_of(trial: Any) -> str:
    """Return a name that is unique in the study."""
    return f"{stage_of(trial)}/{trial.trial_id}"
