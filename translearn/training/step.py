"""One run of a recipe: the suffix that it trains, its optimiser, and what it has counted in the present epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from translearn.models.freeze import freeze, parameter_groups, trained_state
from translearn.models.network import Network
from translearn.seeds import derive_seed
from translearn.training.config import LoopState, Recipe
from translearn.training.distributed import Team
from translearn.training.inference import tally
from translearn.training.optimizers import lr_factor, make_optimizer
from translearn.training.precision import autocast, compiled, resolve_precision


class Run:
    """A network, frozen and placed, and its optimiser.

    Attributes:
        epoch: The epoch at hand; between epochs the last one that is done.
        num_done: Steps done of an epoch that is not; 0 between epochs.
        seconds: Wall time of its own steps and batches of validation in the present epoch.
    """

    def __init__(
        self, network: Network, recipe: Recipe, team: Team, steps_per_epoch: int, num_epochs: int | None = None
    ) -> None:
        """Freezes and places; ``num_epochs`` is how many will be trained here, all when None: compiling must pay."""
        self.network, self.recipe, self.team, self.steps_per_epoch = network, recipe, team, steps_per_epoch
        self.precision = resolve_precision(recipe.train.precision, team.device)
        team.adopt(network)
        freeze(network, recipe.freeze_depth)
        self.suffix = network.suffix(recipe.freeze_depth)
        num_steps = (recipe.epochs if num_epochs is None else num_epochs) * steps_per_epoch
        self.trained = team.parallel(compiled(self.suffix, recipe.train.compile, team.device, num_steps))
        groups = parameter_groups(network, recipe.train.weight_decay)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = make_optimizer(groups, recipe.lr, recipe.train)
        self.is_random = any(isinstance(module, nn.Dropout) for module in self.suffix.modules())
        self.epoch = self.num_done = 0
        self._loss_before = 0.0

    def state(self) -> LoopState:
        """Copies of all that the next step depends on; inside an epoch right after ``end_part``."""
        model = trained_state(self.network, self.recipe.freeze_depth)
        is_inside = self.num_done > 0
        return {
            "epoch": self.epoch - is_inside,
            "step": self.num_done,
            "loss": float(self._loss) if is_inside else 0.0,
            "model": model,
            "optimizer": _copied(self.optimizer.state_dict()),
        }

    def restore(self, state: LoopState) -> None:
        """Goes back to a state."""
        self.network.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(_copied(state["optimizer"]))
        self.epoch, self.num_done = int(state["epoch"]), int(state["step"])
        self._loss_before = float(state["loss"])

    def begin_epoch(self) -> None:
        """Makes the run ready to train the epoch after the last one done, from the step where its state was."""
        self.network.train()
        self.epoch += 1
        self.seconds = 0.0
        before = torch.tensor(self._loss_before, dtype=torch.float64, device=self.team.device)
        # All workers have the state of the first one, whose sum is that of all.
        self._loss, self._loss_before = before if self.team.rank == 0 else torch.zeros_like(before), 0.0
        self._counts = torch.zeros(3, dtype=torch.float64, device=self.team.device)

    def step(self, boundary: torch.Tensor, labels: torch.Tensor, global_size: int, index: int) -> None:
        """One update, from this worker's part of the epoch's batch ``index``, which has ``global_size`` examples."""
        with self._timed():
            step = (self.epoch - 1) * self.steps_per_epoch + index
            self._prepare(step)
            with autocast(self.precision, self.team.device):
                z = self.trained(boundary)
            smoothing = self.recipe.train.label_smoothing
            loss = nn.functional.cross_entropy(z.float(), labels, reduction="sum", label_smoothing=smoothing)
            self.optimizer.zero_grad(set_to_none=True)
            # Gradients are averaged over workers; this makes the average that over the global batch's examples.
            (loss * (self.team.num_workers / global_size)).backward()
            if self.recipe.train.clip_norm:
                nn.utils.clip_grad_norm_(self.parameters, self.recipe.train.clip_norm)
            self.optimizer.step()
            self._loss += loss.detach().double()
            self.num_done = index + 1

    def end_part(self) -> None:
        """Between two steps: makes the first worker's state that of all, with or without anyone who keeps it."""
        self._loss = self.team.settled(self._loss)
        self.team.average_statistics(self.network)

    def end_training(self) -> None:
        """What follows the epoch's last step; the network is ready to be validated."""
        self.num_done = 0
        self.team.average_statistics(self.network)
        self.network.eval()

    def validate(self, boundary: torch.Tensor, labels: torch.Tensor) -> None:
        """Counts losses and mistakes on a batch of validation."""
        with self._timed(), torch.inference_mode(), autocast(self.precision, self.team.device):
            self._counts += tally(self.suffix(boundary).float(), labels)

    def figures(self, num_examples: int) -> tuple[float, float, float]:
        """Training loss, validation loss and validation error of the epoch, over all workers."""
        train_loss = float(self.team.sum(self._loss)) / num_examples
        val_loss, mistakes, num = self.team.sum(self._counts).tolist()
        return train_loss, val_loss / num, mistakes / num

    def _prepare(self, step: int) -> None:
        """Learning rate and random state of a step: functions of the step alone, whatever ran in between."""
        train = self.recipe.train
        warmup_steps = round(train.warmup_epochs * self.steps_per_epoch)
        factor = lr_factor(step, self.recipe.epochs * self.steps_per_epoch, warmup_steps, train.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * factor
        if self.is_random:
            torch.manual_seed(derive_seed(self.recipe.seed, "dropout", step, self.team.rank))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def _copied(value: Any) -> Any:
    """A copy in CPU memory that later steps do not change."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
