"""Backbones by name: every image classifier of torchvision, and those of timm as ``timm/NAME``."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from importlib import import_module
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from translearn.errors import WeightsError, raise_faults
from translearn.models.backbones.names import TIMM, has_timm, is_timm, name_faults

_USUAL_SIZE = 224  # pixels
# Their weights were trained with this input; the auxiliary classifiers matter to training them from scratch alone.
_WITH_AUXILIARY = {"aux_logits": False, "transform_input": True, "init_weights": True}
_OPTIONS: Mapping[str, dict[str, Any]] = {"googlenet": _WITH_AUXILIARY, "inception_v3": _WITH_AUXILIARY}
#: Names in files of weights that these backbones do not have: their auxiliary classifiers.
AUXILIARY: Mapping[str, tuple[str, ...]] = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
#: The name of the linear layer that is added to a model without one of its own.
ADDED_HEAD = "linear_head"


def create_own(arch: str, num_classes: int) -> nn.Module:
    """Create torchvision's or timm's own module for images of its native size, with fresh parameters.

    Args:
        arch: The architecture's name.
        num_classes: The number of logits. 0, for timm's and SqueezeNet alone: no head, so that it gives features.

    Raises:
        WeightsError: There is no such backbone; names the nearest one.
    """
    known = _timm_names() if is_timm(arch) and has_timm() else torchvision_names()
    raise_faults(name_faults(arch, known), WeightsError)
    if is_timm(arch):
        made = timm().create_model(arch.removeprefix(TIMM), pretrained=False, num_classes=num_classes)
    else:
        with _NumbersOnCpu() if arch.startswith("regnet_") else nullcontext():
            made = torchvision_models().get_model(arch, weights=None, num_classes=num_classes or 1, **own_options(arch))
        if not num_classes:
            made.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(made.classifier[0].p))
    return cast(nn.Module, made)


def own_options(arch: str) -> Mapping[str, Any]:
    """Return with what a model of torchvision is created."""
    return {"image_size": native_size(arch)} if arch.startswith("vit_") else _OPTIONS.get(arch, {})


def add_head(model: nn.Module, num_features: int, num_classes: int) -> nn.Module:
    """Add a linear layer to a model that gives features; where those are maps or tokens, it takes their mean."""
    model.add_module(ADDED_HEAD, nn.Linear(num_features, num_classes))
    model.register_forward_hook(_logits)
    return model


def _logits(model: nn.Module, _: object, output: Tensor) -> Tensor:
    return cast(Tensor, model.get_submodule(ADDED_HEAD)(pooled(output)))


def pooled(y: Tensor) -> Tensor:
    """Return features, shape (N, D): themselves, or the mean of tokens (N, L, D) or of maps (N, D, H, W)."""
    return y.mean(1) if y.ndim == 3 else y.flatten(2).mean(2) if y.ndim == 4 else y


class _NumbersOnCpu(TorchFunctionMode):
    """Numbers that have values on device "meta" too: torchvision's RegNet computes its widths by tensors."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch."""
        on_cpu = {"device": "cpu"} if func in (torch.arange, torch.tensor) else {}
        return func(*args, **{**(kwargs or {}), **on_cpu})


def resize(model: nn.Module, image_size: int) -> None:
    """Make a model take images of another side, in pixels: resize its position embeddings, where it has any.

    Raises:
        ValueError, AssertionError: The model does not take this size.
    """
    module = torchvision_models().vision_transformer
    if isinstance(model, module.VisionTransformer):
        if image_size % model.patch_size:
            raise ValueError(f"{image_size} pixels are no multiple of patches of {model.patch_size}")
        grid = image_size // model.patch_size
        given = OrderedDict(model.state_dict())
        state = module.interpolate_embeddings(grid * model.patch_size, model.patch_size, given)
        model.encoder.pos_embedding = nn.Parameter(state["encoder.pos_embedding"].contiguous())
        model.image_size, model.seq_length = image_size, grid**2 + 1
    elif hasattr(model, "set_input_size"):
        cast(Any, model).set_input_size(img_size=image_size)


def names() -> tuple[str, ...]:
    """Return the names of all backbones, torchvision's first; timm's where it is installed."""
    return torchvision_names() + (_timm_names() if has_timm() else ())


@functools.cache
def torchvision_names() -> tuple[str, ...]:
    """Return the names of torchvision's image classifiers."""
    return tuple(torchvision_models().list_models(module=torchvision_models()))


@functools.cache
def _timm_names() -> tuple[str, ...]:
    return tuple(f"{TIMM}{name}" for name in timm().list_models())


def relatives(arch: str) -> list[str]:
    """Return the backbones that weights given for ``arch`` may be of: its family's, and the most usual ones."""
    family = arch.removeprefix(TIMM)[:3]
    usual = ("resnet18", "resnet34", "resnet50", "vgg11_bn", "vgg16_bn", "mobilenet_v2", "densenet121", "vit_b_16")
    alike = [name for name in torchvision_names() if family in name and not is_timm(arch)]
    return list(dict.fromkeys([arch, *alike, *usual]))


def torchvision_models() -> Any:
    """Return ``torchvision.models``, whose import takes seconds, and which a driver may not need."""
    return import_module("torchvision.models")


def torchvision_ops() -> Any:
    """Return ``torchvision.ops``, likewise."""
    return import_module("torchvision.ops")


def timm() -> Any:
    """Return the package timm, which is an extra."""
    return import_module("timm")


def native_size(arch: str) -> int:
    """Return the side of the images, in pixels, that a backbone's default weights were evaluated on."""
    if is_timm(arch):
        entry = timm().get_pretrained_cfg(arch.removeprefix(TIMM))
        return int(entry.input_size[-1]) if entry else _USUAL_SIZE
    return int(torchvision_models().get_model_weights(arch).DEFAULT.transforms.keywords["crop_size"])
