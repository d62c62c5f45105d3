"""One pass of a model without memory (device "meta"), and what it tells of where the resolution falls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from translearn.models.backbones.backbone import torchvision_models

_FALL = 0.75  # a stage begins where the side of the map is less than so much of the one before


@dataclass(frozen=True, eq=False)
class Call:
    """A module that ran; its output is the first tensor of what it gave."""

    name: str
    module: nn.Module
    input_shape: tuple[int, ...]
    output: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the output."""
        return tuple(self.output.shape)

    @property
    def channel_axis(self) -> int:
        """The axis of the output's channels: maps with channels first or last, tokens, or flat features."""
        shape = self.shape
        is_last = len(shape) == 3 or (len(shape) == 4 and shape[1] == shape[2] != shape[3])
        return len(shape) - 1 if is_last else 1

    @property
    def side(self) -> int | None:
        """The side of the map, in values; None where the output is none."""
        return self.shape[2] if len(self.shape) == 4 else None


def calls_of(model: nn.Module, image_size: int) -> tuple[list[Call], object]:
    """Run a model once, in eval mode; return what ran, in the order in which it ended, and what the model gave."""
    calls: list[Call] = []
    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(_noted(name, calls))
    return calls, model.eval()(torch.empty(2, 3, image_size, image_size, device="meta"))


def unused(model: nn.Module, logits: Tensor) -> tuple[str, ...]:
    """Return the names of a model's parameters that its logits give no gradient."""
    seen: set[Any] = set()
    ahead = [logits.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead.extend(before for before, _ in node.next_functions)
    used = {id(node.variable) for node in seen if hasattr(node, "variable")}
    return tuple(name for name, parameter in model.named_parameters() if id(parameter) not in used)


def _noted(name: str, calls: list[Call]) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        given, (got, *_) = next(tensors(inputs), None), [*tensors(output), None]
        if got is not None:
            calls.append(Call(name, module, () if given is None else tuple(given.shape), got))

    return note


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in what a module takes or gives."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from tensors(inner)


def groups_by_resolution(model: nn.Module, calls: Sequence[Call]) -> list[list[str]]:
    """Return the names of a model's parameters in groups: a new one where the resolution falls, or where maps end.

    A model with one resolution has a group a layer. The last call is the classifier's, and in no group.
    """
    units = set(_units(model))
    ran = [one for one in calls[:-1] if one.name in units and any(True for _ in one.module.parameters())]
    starts = [index for index in range(1, len(ran)) if _begins(ran[index - 1], ran[index])]
    starts = starts or list(range(1, len(ran)))
    group_of = {one.name: sum(start <= index for start in starts) for index, one in enumerate(ran)}
    groups: dict[int, list[str]] = defaultdict(list)
    for name, _ in model.named_parameters():
        unit = next((unit for unit in _around(name) if unit in units), "")
        if unit != calls[-1].name:
            # What is the model's own, as tokens are, is in the first; what is around the classifier in the last.
            is_around = unit and calls[-1].name.startswith(f"{unit}.")
            groups[len(starts) if is_around else group_of.get(unit, 0)].append(name)
    return [groups[index] for index in sorted(groups)]


def _begins(before: Call, unit: Call) -> bool:
    if before.side and unit.side:
        return unit.side < _FALL * before.side
    # Wide layers after the maps, as VGG's; not the norm or the tokens of a transformer.
    return bool(before.side) and len(unit.shape) == 2 and any(p.ndim > 1 for p in unit.module.parameters())


def _units(module: nn.Module, prefix: str = "") -> Iterator[str]:
    """Yield the names of the modules that containers run one after the other."""
    containers = (nn.Sequential, nn.ModuleList, torchvision_models().vision_transformer.Encoder)
    for name, child in module.named_children():
        if isinstance(child, containers):
            yield from _units(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _around(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
