"""THE loop: a plain torch generator that yields one result an epoch and knows nothing of Ray.

The same generator runs in a Tune trial, in a worker of Ray Train, and in a test. What differs (rank,
device, data, who is told) is passed in. Pre-training is the same loop, from scratch, at freeze depth 0.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from translearn.arithmetic import autocast, resolve_precision
from translearn.data.batches import epoch_batches, num_steps, worker_part
from translearn.data.image_set import ImageSet
from translearn.data.transforms import augment, to_input
from translearn.errors import NonFiniteLossError
from translearn.inference import loss_and_error
from translearn.models.freeze import freeze, parameter_groups, trained_state
from translearn.models.network import Network
from translearn.optimize import lr_factor, make_optimizer
from translearn.seeds import derive_seed
from translearn.spec import TrainSpec
from translearn.team import Team

#: Loop state: ``epoch`` (the last one done), ``model`` (trained tensors only), ``optimizer``.
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
    """

    freeze_depth: int
    lr: float
    epochs: int
    seed: int
    train: TrainSpec


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave, the same on every worker.

    Attributes:
        epoch: Counted from 1.
        train_loss: Mean over the epoch's examples, as they were trained on (nats).
        val_loss: Mean cross-entropy on validation after the epoch (nats).
        val_error: Error on validation after the epoch, a fraction in [0, 1].
        lr: Learning rate of the last step.
        seconds: Wall time of the epoch, validation included.
        images_per_s: Training images over wall time of the training part.
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


def fine_tune(
    network: Network,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    team: Team | None = None,
    state: LoopState | None = None,
) -> Iterator[EpochResult]:
    """Trains a network's suffix on a target, and yields a result after each epoch.

    Any number of workers sees the same global batches; a run that goes on from a state gives, on a CPU at
    the same number of threads, the same bits as one that was never interrupted.

    Args:
        network: Changed in place; its first ``recipe.freeze_depth`` stages stay bit for bit what they are.
        train: The training split (the whole of it, on every worker).
        val: The validation split, likewise.
        recipe: What to do.
        team: The workers; alone when None.
        state: Where to go on: an earlier result's ``state()``.

    Raises:
        NonFiniteLossError: A loss became infinite or not a number, on any worker; every worker raises it.
    """
    run = _Run(network, recipe, team or Team(), num_steps(len(train), recipe.train.batch_size))
    first = run.restore(state) + 1 if state else 1
    for epoch in range(first, recipe.epochs + 1):
        started = time.perf_counter()
        train_loss = run.train_epoch(train, epoch)
        trained = time.perf_counter()
        val_loss, val_error = loss_and_error(network, val, run.precision, run.team)
        _check_finite(recipe, epoch, train_loss=train_loss, val_loss=val_loss)
        yield EpochResult(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_error=val_error,
            lr=run.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
            images_per_s=len(train) / (trained - started),
            state=functools.partial(run.state, epoch),
        )


class _Run:
    """One run's network, frozen and placed, and its optimiser."""

    def __init__(self, network: Network, recipe: Recipe, team: Team, steps_per_epoch: int) -> None:
        self.network, self.recipe, self.team, self.steps_per_epoch = network, recipe, team, steps_per_epoch
        self.precision = resolve_precision(recipe.train.precision, team.device)
        team.adopt(network)
        freeze(network, recipe.freeze_depth)
        self.prefix = network.prefix(recipe.freeze_depth)
        self.suffix = team.parallel(network.suffix(recipe.freeze_depth))
        groups = parameter_groups(network, recipe.train.weight_decay)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = make_optimizer(groups, recipe.lr, recipe.train)

    def state(self, epoch: int) -> LoopState:
        model = trained_state(self.network, self.recipe.freeze_depth)
        return {"epoch": epoch, "model": model, "optimizer": _copied(self.optimizer.state_dict())}

    def restore(self, state: LoopState) -> int:
        self.network.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(_copied(state["optimizer"]))
        return int(state["epoch"])

    def train_epoch(self, data: ImageSet, epoch: int) -> float:
        """One pass over the training split; returns the mean loss over all workers' examples."""
        self.network.train()
        torch.manual_seed(derive_seed(self.recipe.seed, "dropout", epoch, self.team.rank))
        batches = epoch_batches(len(data), self.recipe.train.batch_size, self.recipe.seed, epoch)
        total = torch.zeros((), dtype=torch.float64, device=self.team.device)
        for index, rows in enumerate(batches):
            self._set_lr((epoch - 1) * self.steps_per_epoch + index)
            total += self._step(data, worker_part(rows, self.team.rank, self.team.num_workers), len(rows), epoch)
        self.team.average_statistics(self.network)
        return float(self.team.sum(total)) / len(data)

    def _step(self, data: ImageSet, rows: np.ndarray, global_size: int, epoch: int) -> torch.Tensor:
        labels = torch.from_numpy(data.labels[rows]).to(self.team.device)
        x = self._input(data, rows, epoch)
        with autocast(self.precision, self.team.device):
            with torch.no_grad():
                boundary = self.prefix(x)
            z = self.suffix(boundary)
        smoothing = self.recipe.train.label_smoothing
        loss = nn.functional.cross_entropy(z.float(), labels, reduction="sum", label_smoothing=smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over workers; this makes the average that over the global batch's examples.
        (loss * (self.team.num_workers / global_size)).backward()
        if self.recipe.train.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.train.clip_norm)
        self.optimizer.step()
        return loss.detach().double()

    def _input(self, data: ImageSet, rows: np.ndarray, epoch: int) -> torch.Tensor:
        pixels = torch.from_numpy(data.images[rows]).to(self.team.device, non_blocking=True)
        return to_input(augment(pixels, data.keys[rows], self.recipe.train.augment, self.recipe.seed, epoch))

    def _set_lr(self, step: int) -> None:
        train = self.recipe.train
        warmup_steps = round(train.warmup_epochs * self.steps_per_epoch)
        factor = lr_factor(step, self.recipe.epochs * self.steps_per_epoch, warmup_steps, train.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * factor


def _copied(value: Any) -> Any:
    """A copy in CPU memory that later steps do not change."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _check_finite(recipe: Recipe, epoch: int, **losses: float) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            message = f"{name} is {loss} in epoch {epoch} at lr {recipe.lr:g}, freeze depth {recipe.freeze_depth}."
            error = NonFiniteLossError(f"{message} A lower learning rate or train.clip_norm helps.")
            error.epoch = epoch
            raise error
