"""torchvision's backbones as an ordered list of stages and a head.

A network keeps torchvision's modules under torchvision's names, so ``state_dict`` is interchangeable with
torchvision's own. It can be cut at any freeze depth: ``prefix(d)`` then ``suffix(d)`` is the network.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from translearn.config.archs import HEAD, STAGES
from translearn.errors import InputError, fault
from translearn.models.preprocessing import IMAGENET
from translearn.seeds import derive_seed


class Network(nn.Module):
    """A backbone's stages, input side first, and a head.

    Takes float images, normalised, shape (N, 3, S, S), and gives logits, shape (N, C).

    Attributes:
        arch: The architecture's name in ``archs.STAGES``.
        normalisation: The mean and std of the images that it takes, which are those of its weights' training.
        stage_names: The names of the backbone's stages, input side first; the head is not one of them.
        freeze_depth: The number of stages that ``train`` leaves in eval mode; set by ``freeze``.
    """

    def __init__(self, arch: str, model: nn.Module) -> None:
        """Take over the modules of torchvision's ``model`` of architecture ``arch``."""
        super().__init__()
        self.arch = arch
        self.stage_names = tuple(STAGES[arch])
        self.freeze_depth = 0
        self.normalisation = IMAGENET
        # Neither has parameters, so state_dict stays torchvision's.
        self.add_module("flatten", nn.Flatten(1))
        self.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
        for name, child in model.named_children():
            self.add_module(name, child)

    @property
    def head(self) -> nn.Linear:
        """The layer that turns features into logits."""
        return cast(nn.Linear, self.get_submodule(HEAD[self.arch][-1]))

    @property
    def num_features(self) -> int:
        """The number of features of an image: D."""
        return self.head.in_features

    def prefix(self, depth: int) -> nn.Sequential:
        """Return the first ``depth`` stages; they share the network's modules.

        Returns:
            A module from images to the output of the last stage: the images themselves at depth 0, the features, shape
            (N, D), at the depth of a linear probe.

        Raises:
            InputError: The depth is negative or more than the number of stages.
        """
        return self.stages(0, depth)

    def suffix(self, depth: int) -> nn.Sequential:
        """Return the stages after the first ``depth`` ones with the head: a module to logits.

        Shares the network's modules, and does not change its input in place. Raises InputError as ``prefix`` does.
        """
        self._check_depth(depth)
        stages = itertools.islice(STAGES[self.arch].values(), depth, None)
        return self._run(itertools.chain(*stages, HEAD[self.arch]))

    def stages(self, start: int, end: int) -> nn.Sequential:
        """Return the stages between two depths: a module from the output of stage ``start`` to that of stage ``end``.

        ``stages(0, d)`` is ``prefix(d)``. Shares the network's modules. Raises InputError as ``prefix`` does.
        """
        self._check_depth(start)
        self._check_depth(end)
        return self._run(itertools.chain(*itertools.islice(STAGES[self.arch].values(), start, end)))

    def stage_of(self, name: str) -> str:
        """Return the stage of a parameter or buffer, by its name in ``state_dict``; "head" for the head's."""
        for stage, modules in (*STAGES[self.arch].items(), ("head", HEAD[self.arch])):
            if name.startswith(tuple(f"{module}." for module in modules)):
                return stage
        raise KeyError(f"{self.arch} has no parameter or buffer {name!r}")

    def forward(self, x_N3SS: Tensor) -> Tensor:
        """Return the logits of images, shape (N, C)."""
        return cast(Tensor, self.suffix(0)(x_N3SS))

    def train(self, mode: bool = True) -> Network:
        """Set training mode, except for the frozen stages: their BatchNorm statistics must not change."""
        super().train(mode)
        self.prefix(self.freeze_depth).eval()
        return self

    def _run(self, names: Iterable[str]) -> nn.Sequential:
        return nn.Sequential(*(self.get_submodule(name) for name in names))

    def _check_depth(self, depth: int) -> None:
        last = len(self.stage_names)
        if not 0 <= depth <= last:
            rule = f"must be from 0 to {last}, the number of stages in {self.arch}"
            raise InputError(fault("freeze_depth", rule, depth, f"Use {last} for a linear probe."))


def build(arch: str, num_classes: int, seed: int) -> Network:
    """Build a network with fresh parameters, on the CPU, in channels_last memory format.

    The backbone is initialised as torchvision does (He et al. 2015, arXiv:1502.01852), from (seed, "backbone"); the
    head as ``torch.nn.Linear`` does, uniform in ±1/sqrt(D), from (seed, "head") alone, so that it is the same for
    every source of an architecture. No global random state changes.

    Args:
        arch: The architecture's name in ``archs.STAGES``.
        num_classes: C, the number of logits.
        seed: The root seed; equal seeds give equal networks.
    """
    generator = torch.default_generator  # the CPU's alone: torch.manual_seed would change the GPUs' too
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        generator.manual_seed(derive_seed(seed, "backbone"))
        network = _torchvision(arch, num_classes)
        generator.manual_seed(derive_seed(seed, "head"))
        network.head.reset_parameters()
    return network.to(memory_format=torch.channels_last)


def skeleton(arch: str, num_classes: int = 1) -> Network:
    """Build a network without memory (device "meta"): names, shapes and dtypes only."""
    with torch.device("meta"):
        return _torchvision(arch, num_classes)


def _torchvision(arch: str, num_classes: int) -> Network:
    from torchvision.models import get_model  # takes seconds, most of them torch._dynamo, and a driver may need none

    return Network(arch, get_model(arch, weights=None, num_classes=num_classes))
