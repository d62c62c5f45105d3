"""The configuration of a run of the loop, and the results that the loop yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from translearn.config import TrainSpec

#: ``epoch``: epochs done. ``step``: steps done of the next epoch, 0 between epochs. ``loss``: sum over the examples of
#: these steps. ``model``: trained tensors only. ``optimizer``: its ``state_dict``.
LoopState = dict[str, Any]


@dataclass(frozen=True)
class TrainConfig:
    """The configuration of a run.

    Attributes:
        freeze_depth: Frozen stages, input side first.
        lr: Peak learning rate.
        epochs: Length of the run; the schedule spans it.
        seed: Decides order, augmentation and dropout.
        train: The settings that the runs of a study share.
    """

    freeze_depth: int
    lr: float
    epochs: int
    seed: int
    train: TrainSpec


@dataclass(frozen=True)
class EpochPart:
    """The place of a run inside an epoch, the same on every worker.

    Attributes:
        epoch: Counted from 1.
        step: Steps of it that are done; fewer than it has.
        state: Makes the loop state of this moment, in CPU memory; call it before the next step.
    """

    epoch: int
    step: int
    state: Callable[[], LoopState] = field(repr=False, compare=False)


@dataclass(frozen=True)
class EpochResult:
    """The figures of an epoch, the same on every worker.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean over the epoch's examples, as they were trained on (nats).
        val_loss: Mean cross-entropy on validation after the epoch (nats).
        val_error: Error on validation after the epoch, a fraction in [0, 1].
        lr: Learning rate of the last step.
        seconds: Wall time of the epoch, validation included; in the first epoch also that of probe features.
        images_per_s: Training images over the training part of ``seconds``.
        state: Makes the loop state after this epoch, in CPU memory; call it before the next epoch.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_error: float
    lr: float
    seconds: float
    images_per_s: float
    state: Callable[[], LoopState] = field(repr=False, compare=False)
