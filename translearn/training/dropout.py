"""Dropout and stochastic depth whose masks are functions of (seed, epoch, example, layer), of no worker and no batch.

torch's layers draw a mask a batch from a global generator, so that the number of workers would change every result.
Shapes: n examples of a worker's part of a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from translearn.models.backbones.drop_path import drop_path_rate, drop_paths
from translearn.models.network import Network
from translearn.seeds import FACTORS, GOLDEN, derive_seed, states


class Draws:
    """The random numbers of a worker's part of a batch, in the order in which the layers ask for them."""

    def __init__(self) -> None:
        """Begin without examples; ``begin`` names them."""
        self._states, self._num_drawn = torch.zeros(1, dtype=torch.int64), 0

    def begin(self, keys_n: np.ndarray, step: int, seed: int, epoch: int, device: torch.device) -> None:
        """Begin a step of an epoch on the examples with these keys (uint64); an epoch is counted from 1, a step from 0.

        What belongs to no example is drawn by the step, alike on every worker.
        """
        keys = np.append(keys_n, np.uint64(step))
        begun = states(keys, derive_seed(seed, "dropout", epoch)).view(np.int64)
        self._states, self._num_drawn = torch.from_numpy(begun).to(device), 0

    def kept(self, shape: tuple[int, ...], rate: float, *, of_batch: bool = False) -> Tensor:
        """Return which values stay: bool, False with probability ``rate``.

        The values of an example lie next to each other: the first axis is the batch's, or a multiple of it, as windows
        of images are. ``of_batch``: they belong to no example.

        Source: SplitMix64, as in ``seeds.uniforms``; each output of an example's generator begins that of a layer.
        """
        states_n = self._states[-1:] if of_batch else self._states[:-1]
        num = max(1, len(states_n))  # a worker's part may be empty
        assert shape[0] % num == 0, shape
        self._num_drawn += 1
        layer_n = _mixed(states_n + _signed(self._num_drawn * GOLDEN))
        steps = _signed(GOLDEN) * torch.arange(1, math.prod(shape) // num + 1, device=layer_n.device)
        return (_shifted(_mixed(layer_n[:, None] + steps), 11) >= round(rate * 2**53)).view(shape)


@dataclass(frozen=True)
class Kind:
    """Of dropout: the values that are dropped together, and what becomes of the others.

    Attributes:
        axes: The first axes of a tensor, of which each place is dropped or kept; None for all: single values.
        scales: Whether what is kept becomes larger by as much as is lost.
        of_batch: Whether the values belong to no example, as those of a table of positions.
    """

    axes: int | None = None
    scales: bool = True
    of_batch: bool = False


class ExampleDropout(nn.Dropout):
    """Dropout or stochastic depth in training mode, as the draws of the examples say."""

    def __init__(self, rate: float, draws: Draws, kind: Kind) -> None:
        """Drop with probability ``rate``."""
        super().__init__(rate)
        self.draws, self.kind = draws, kind

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with some values zero in training mode, and as it is in eval mode."""
        if not self.training or self.p == 0:
            return x
        shape = tuple(x.shape[: self.kind.axes])
        kept = self.draws.kept(shape, self.p, of_batch=self.kind.of_batch).view(*shape, *[1] * (x.ndim - len(shape)))
        return x * (kept.to(x.dtype) / (1 - self.p) if self.kind.scales else kept)


def drop_by_example(network: Network, drop_path: float | None = None) -> Draws:
    """Replace a network's dropout and stochastic depth by ones that drop by example, in place; return their draws.

    Args:
        network: Its modules behave as before in eval mode, and its tensors keep their names.
        drop_path: The rate of stochastic depth in the last block; None for the architecture's own.
    """
    draws, model = Draws(), network.model
    if getattr(model, "drop_rate", 0):  # of timm's models whose dropout is no module; others have it as one
        vars(model)["drop_rate"] = 0.0
    found = _dropping(model)
    if drop_path is not None:
        found |= {name: (drop_path * part, Kind(axes=1)) for name, part in drop_paths(network.arch).items()}
    for name, (rate, kind) in found.items():
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, ExampleDropout(rate, draws, kind).train(model.training))
    return draws


def _dropping(model: nn.Module) -> dict[str, tuple[float, Kind]]:
    """Return the modules that drop something, by name: the rate, and what it is."""
    modules = dict(model.named_modules(remove_duplicate=False))
    return {
        name: (rate, _kind(module, modules[name.rpartition(".")[0]]))
        for name, module in modules.items()
        if (rate := _rate(module))
    }


def _rate(module: nn.Module) -> float:
    if isinstance(module, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d):
        return module.p
    return drop_path_rate(module) or 0.0


def _kind(module: nn.Module, parent: nn.Module) -> Kind:
    if isinstance(module, ExampleDropout):  # of a run before
        return module.kind
    if isinstance(module, nn.Dropout):
        # timm's models compute tables of relative positions from two coordinates, once for all examples.
        return Kind(of_batch=getattr(getattr(parent, "fc1", None), "in_features", 0) == 2)
    if drop_path_rate(module) is None:
        return Kind(axes=2)
    return Kind(axes=1, scales=getattr(module, "scale_by_keep", True))


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * _signed(FACTORS[0])
    z = (z ^ _shifted(z, 27)) * _signed(FACTORS[1])
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, num: int) -> Tensor:
    """Shift to the right as unsigned integers are."""
    return torch.as_tensor((z >> num) & (2 ** (64 - num) - 1))


def _signed(number: int) -> int:
    """Return the int64 that has the lowest 64 bits of a number."""
    return (number + 2**63) % 2**64 - 2**63
