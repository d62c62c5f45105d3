"""What a run of the loop is told, and what it tells after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from translearn.config import TrainSpec

#: Loop state: ``epoch`` (the last one done), ``step`` (steps done of the next one, 0 between epochs), ``loss`` (sum
#: over these steps' examples), ``model`` (trained tensors only), ``optimizer``.
LoopState = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What one run does with a network and a data set.

    Attributes:
        freeze_depth: Frozen stages, from the input.
        lr: Peak learning rate.
        epochs: Length of the run; the schedule spans it.
        seed: Decides order and augmentation.
        train: The rest, shared by the runs of a study.
        views: 0: every epoch augments anew. k: epoch e is augmented as epoch 1 + (e - 1) % k, so that there are k fixed
            copies of each image, an approximation that lets boundaries be stored.
    """

    freeze_depth: int
    lr: float
    epochs: int
    seed: int
    train: TrainSpec
    views: int = 0


@dataclass(frozen=True)
class EpochPart:
    """Where a run stands inside an epoch, the same on every worker.

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
    """What one epoch gave, the same on every worker.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean over the epoch's examples, as they were trained on (nats).
        val_loss: Mean cross-entropy on validation after the epoch (nats).
        val_error: Error on validation after the epoch, a fraction in [0, 1].
        lr: Learning rate of the last step.
        seconds: Wall time of the epoch, validation included: the run's own, and its part of what it shares with others.
        images_per_s: Training images over the training part of ``seconds``.
        saved_s: The seconds that the run would have taken longer alone, because others share its input.
        state: Makes the loop state after this epoch, in CPU memory; call it before the next epoch.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_error: float
    lr: float
    seconds: float
    images_per_s: float
    saved_s: float
    state: Callable[[], LoopState] = field(repr=False, compare=False)
TrainConfig = Recipe
