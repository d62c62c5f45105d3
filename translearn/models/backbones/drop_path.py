"""Stochastic depth of torchvision's and timm's models: the modules that drop residual branches, and their rates."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import nn

from translearn.models.backbones.backbone import create_own, timm, torchvision_ops
from translearn.models.backbones.names import TIMM, has_timm, is_timm

_RATE = 0.5  # of the last block, where all rates are asked for


@functools.cache
def drop_paths(arch: str) -> Mapping[str, float]:
    """Return the modules of a backbone that drop branches, by name, and their rates over that of the last block.

    The rates rise from the first block to the last, as torchvision and timm have them. Empty where a backbone has no
    stochastic depth.

    Source: Huang et al., Deep Networks with Stochastic Depth (ECCV 2016, arXiv:1603.09382), section 3, linear decay.
    """
    try:
        with torch.device("meta"):
            model = _with_drop_path(arch)
    except TypeError:  # timm's way of saying that a model does not know it
        return {}
    rates = {name: rate for name, module in model.named_modules() if (rate := drop_path_rate(module))}
    return {name: rate / max(rates.values()) for name, rate in rates.items()}


def drop_path_rate(module: nn.Module) -> float | None:
    """Return the rate of a module that drops branches of single examples; None where it is another."""
    if isinstance(module, torchvision_ops().StochasticDepth):
        return float(module.p)
    if has_timm() and isinstance(module, timm().layers.DropPath):
        return float(module.drop_prob)
    return None


def _with_drop_path(arch: str) -> nn.Module:
    if not is_timm(arch):
        return create_own(arch, num_classes=1)  # it has stochastic depth, or none at all
    made: nn.Module = timm().create_model(arch.removeprefix(TIMM), drop_path_rate=_RATE, num_classes=1)
    return made
