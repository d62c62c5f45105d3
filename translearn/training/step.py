"""A network with its optimiser, a step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translearn.models.freeze import freeze, parameter_groups, trained_state
from translearn.models.network import Network
from translearn.models.weights import non_finite
from translearn.training.config import LoopState, TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.dropout import drop_by_example
from translearn.training.features import reads_features, trains_head_alone
from translearn.training.inference import tally
from translearn.training.optimizers import lr_factor, make_optimizer
from translearn.training.precision import autocast, compiled, mend_convolutions, resolve_precision


class TrainingStep:
    """A network, frozen and placed, its optimiser, and all that a step depends on.

    Attributes:
        epoch: Epochs that are done.
        num_done: Steps that are done of the next epoch.
        precision: The resolved one.
    """

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        context: DistributedContext,
        steps_per_epoch: int,
        state: LoopState | None = None,
    ) -> None:
        """Freeze and place the network, and go to the state where one is given."""
        self.network, self.config, self.context, self.steps_per_epoch = network, config, context, steps_per_epoch
        self.precision = resolve_precision(config.train.precision, context.device)
        context.adopt(network)
        if self.precision == "bf16" and context.device.type == "cpu":
            mend_convolutions(network)
        self._draws = drop_by_example(network, config.train.drop_path)
        self._account = freeze(network, config.freeze_depth)
        self._network = network.classifier if reads_features(config, network) else network
        self._validated = network.classifier if trains_head_alone(config, network) else network
        groups = parameter_groups(network, config.train.weight_decay, config.train.layer_decay)
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        self._optimizer = make_optimizer(groups, config.lr, config.train)
        self.epoch, self.num_done, self._loss = 0, 0, self._zero()
        self._restore(state)
        num_steps = (config.epochs - self.epoch) * steps_per_epoch
        self._trained = context.parallel(compiled(self._network, config.train.compile, context.device, num_steps))

    @property
    def lr(self) -> float:
        """The learning rate of the last step, that of the head."""
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> LoopState:
        """Return copies of all that the next step depends on; inside an epoch right after ``end_part``."""
        return {
            "epoch": self.epoch,
            "step": self.num_done,
            "loss": float(self._loss),
            "model": trained_state(self.network, self.config.freeze_depth),
            "optimizer": _copied(self._optimizer.state_dict()),
        }

    def __call__(self, x: Tensor, targets: Tensor, keys_N: np.ndarray, global_size: int) -> None:
        """Update once, from this worker's part of a batch that has ``global_size`` examples.

        Args:
            x: On the device: images (n, 3, S, S), or features (n, D) in a run that reads them.
            targets: Labels, int64, shape (n,), or the probabilities of the classes, float32, shape (n, C).
            keys_N: uint64, shape (n,): the examples' keys, in memory.
            global_size: Examples of all workers.
        """
        train = self.config.train
        self._set_lr(self.epoch * self.steps_per_epoch + self.num_done)
        self._draws.begin(keys_N, self.num_done, self.config.seed, self.epoch + 1, self.context.device)
        with autocast(self.precision, self.context.device):
            z = self._trained(x)
        loss = nn.functional.cross_entropy(z.float(), targets, reduction="sum", label_smoothing=train.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over workers; this makes the average that over the global batch's examples.
        (loss * (self.context.num_workers / global_size)).backward()
        if train.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, train.clip_norm)
        self._optimizer.step()
        self._loss += loss.detach().double()
        self.num_done += 1

    def end_part(self) -> None:
        """Make the first worker's state, between two steps, that of all."""
        self._loss = self.context.sum_to_first(self._loss)
        self.context.average_statistics(self.network)

    def end_epoch(self) -> float:
        """Make the network ready to be validated; return the sum of the epoch's losses over all workers."""
        self.context.average_statistics(self.network)
        self.network.eval()
        loss = float(self.context.sum(self._loss))
        self.epoch, self.num_done, self._loss = self.epoch + 1, 0, self._zero()
        return loss

    def non_finite(self) -> list[str]:
        """Return the trained parameters and buffers that hold NaN or infinity, by name; the same on every worker."""
        state = self.network.state_dict()
        return non_finite({name: state[name] for name in self._account.trained})

    def tally(self, x: Tensor, labels_N: Tensor) -> Tensor:
        """Return ``inference.tally`` of a batch of validation images, or of their features in a linear probe.

        Their shapes are as in a step.
        """
        with torch.inference_mode(), autocast(self.precision, self.context.device):
            return tally(self._validated(x).float(), labels_N)

    def _restore(self, state: LoopState | None) -> None:
        if state is None:
            return
        self.network.load_state_dict(state["model"], strict=False)
        self._optimizer.load_state_dict(_copied(state["optimizer"]))
        self.epoch, self.num_done = int(state["epoch"]), int(state["step"])
        if self.context.worker_rank == 0:  # all workers have the state of the first one, whose sum is that of all
            self._loss += float(state["loss"])

    def _zero(self) -> Tensor:
        return torch.zeros((), dtype=torch.float64, device=self.context.device)

    def _set_lr(self, step: int) -> None:
        """Set the learning rate of a step: a function of the step alone."""
        config, spe = self.config, self.steps_per_epoch
        factor = lr_factor(step, config.epochs * spe, round(config.train.warmup_epochs * spe), config.train.schedule)
        for group in self._optimizer.param_groups:
            group["lr"] = config.lr * factor * group["lr_scale"]


def _copied(value: Any) -> Any:
    """Return a copy in CPU memory that later steps do not change."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
