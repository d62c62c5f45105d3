"""A backbone of torchvision or timm as an ordered list of stages and a head.

A network keeps the model's own modules under their own names, so ``state_dict`` is interchangeable with that of
torchvision or timm, but for ``linear_head`` where it takes the place of another end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from translearn.errors import InputError, fault
from translearn.models.backbones.backbone import resize
from translearn.models.backbones.stages import create, stages
from translearn.models.backbones.units import tensors
from translearn.models.preprocessing import IMAGENET
from translearn.seeds import derive_seed


class Network(nn.Module):
    """A backbone's stages, input side first, and a head.

    Takes float images, normalised, shape (N, 3, S, S), and gives logits, shape (N, C).

    Attributes:
        arch: The architecture's name.
        stages: Its stages.
        normalisation: The mean and std of the images that it takes, which are those of its weights' training.
        freeze_depth: The number of stages that ``train`` leaves in eval mode; set by ``freeze``.
    """

    def __init__(self, arch: str, model: nn.Module) -> None:
        """Take over torchvision's or timm's ``model`` of architecture ``arch``."""
        super().__init__()
        self.arch, self.stages, self.normalisation, self.freeze_depth = arch, stages(arch), IMAGENET, 0
        # The model computes, and what it is made of is the network's under the same names.
        self.__dict__["_model"] = model
        for owned in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
            self.__dict__[owned] = model.__dict__[owned]

    @property
    def model(self) -> nn.Module:
        """torchvision's or timm's own module, which computes."""
        return cast(nn.Module, self.__dict__["_model"])

    def get_submodule(self, target: str) -> nn.Module:
        """Return a module by its name in the model, which may be that of an attribute of this class, as ``head`` is."""
        return self.model.get_submodule(target)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of the backbone's stages, input side first; the head is not one of them."""
        return self.stages.names

    @property
    def head(self) -> nn.Linear:
        """The layer that turns features into logits."""
        return cast(nn.Linear, self.get_submodule(self.stages.head[-1]))

    @property
    def classifier(self) -> nn.Sequential:
        """The head as a module of its own: from features, shape (N, D), to logits. Shares the network's modules."""
        return nn.Sequential(*(self.get_submodule(name) for name in self.stages.head))

    @property
    def num_features(self) -> int:
        """The number of features of an image: D."""
        return self.head.in_features

    def stage_of(self, name: str) -> str:
        """Return the stage of a parameter or buffer, by its name in ``state_dict``; "head" for the head's."""
        if name not in self.stages.stage_of:
            raise KeyError(f"{self.arch} has no parameter or buffer {name!r}")
        return self.stages.stage_of[name]

    def forward(self, x_N3SS: Tensor) -> Tensor:
        """Return the logits of images, shape (N, C)."""
        return cast(Tensor, self.model(x_N3SS))

    def features(self, x_N3SS: Tensor) -> Tensor:
        """Return the features of images, shape (N, D): what the head takes."""
        found: dict[str, Tensor] = {}
        hook = self._keep_features(found)
        try:
            self(x_N3SS)
        finally:
            hook.remove()
        return found[self.stage_names[-1]]

    def outputs(self, x_N3SS: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the spatial mean of each stage's output, shape (N, C_d), the last being the features; and logits."""
        found: dict[str, Tensor] = {}
        hooks = [
            self.get_submodule(name).register_forward_hook(_mean_of_output(found, stage, axis))
            for stage, (name, axis) in self.stages.ends.items()
        ]
        hooks.append(self._keep_features(found))
        try:
            z_NC = self(x_N3SS)
        finally:
            for hook in hooks:
                hook.remove()
        return [found[stage] for stage in self.stage_names], z_NC

    def _keep_features(self, found: dict[str, Tensor]) -> RemovableHandle:
        def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            found[self.stage_names[-1]] = given[0].flatten(1)  # Inception drops before it flattens

        return self.get_submodule(self.stages.head[0]).register_forward_pre_hook(keep)

    def resize(self, image_size: int) -> Network:
        """Make the network take images of another side, in pixels; position embeddings are interpolated."""
        resize(self.model, image_size)
        return self

    def train(self, mode: bool = True) -> Network:
        """Set training mode, except for the frozen stages: their BatchNorm statistics must not change."""
        super().train(mode)
        self.model.training = mode
        for stage in self.stage_names[: self.freeze_depth]:
            for name in self.stages.modules[stage]:
                self.get_submodule(name).eval()
        return self

    def check_depth(self, depth: int) -> None:
        """Raise InputError where a freeze depth is negative or more than the number of stages."""
        last = len(self.stage_names)
        if not 0 <= depth <= last:
            rule = f"must be from 0 to {last}, the number of stages in {self.arch}"
            raise InputError(fault("freeze_depth", rule, depth, f"Use {last} for a linear probe."))


def build(arch: str, num_classes: int, seed: int, image_size: int | None = None) -> Network:
    """Build a network with fresh parameters, on the CPU, in channels_last memory format.

    The backbone is initialised as torchvision or timm does, from (seed, "backbone"); the head as ``torch.nn.Linear``
    does, uniform in ±1/sqrt(D), from (seed, "head") alone, so that it is the same for every source of an architecture.
    No global random state changes.

    Args:
        arch: The architecture's name.
        num_classes: C, the number of logits.
        seed: The root seed; equal seeds give equal networks.
        image_size: S, the side of its images in pixels; None for the native one of the architecture.
    """
    generator = torch.default_generator  # the CPU's alone: torch.manual_seed would change the GPUs' too
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        generator.manual_seed(derive_seed(seed, "backbone"))
        network = _sized(arch, num_classes, image_size)
        generator.manual_seed(derive_seed(seed, "head"))
        network.head.reset_parameters()
    return network.to(memory_format=torch.channels_last)


def skeleton(arch: str, num_classes: int = 1, image_size: int | None = None) -> Network:
    """Build a network without memory (device "meta"): names, shapes and dtypes only."""
    with torch.device("meta"):
        return _sized(arch, num_classes, image_size)


def _sized(arch: str, num_classes: int, image_size: int | None) -> Network:
    network = Network(arch, create(arch, num_classes))
    return network if image_size is None else network.resize(image_size)


def _mean_of_output(found: dict[str, Tensor], stage: str, axis: int) -> Callable[..., None]:
    """Return a hook that keeps the mean of a module's output over all but images and channels."""

    def keep(_: nn.Module, __: object, output: object) -> None:
        y = next(tensors(output)).float()
        rest = [other for other in range(1, y.ndim) if other != axis]
        found[stage] = y.mean(rest) if rest else y

    return keep
