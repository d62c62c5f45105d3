"""The stages of a backbone and its head: found by the model's own names and one pass without memory (device "meta")."""

from __future__ import annotations

import copy
import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translearn.config import SearchSpec
from translearn.errors import WeightsError, fault
from translearn.models.backbones.backbone import (
    ADDED_HEAD,
    AUXILIARY,
    add_head,
    create_own,
    native_size,
    pooled,
    timm,
)
from translearn.models.backbones.names import is_timm
from translearn.models.backbones.units import Call, calls_of, groups_by_resolution, unused

HEAD = "head"
_CHOOSE = "Choose another; `translearn backbones` lists them."
_MOST = 6  # stages: more freeze depths than these cost more trials than they are worth


@dataclass(frozen=True)
class Stages:
    """The ordered stages of a backbone, input side first, and its head.

    Attributes:
        names: The names of the stages; the head is not one of them.
        stage_of: The stage of each parameter and buffer, by its name in ``state_dict``; "head" for the head's.
        modules: By stage the modules that lie wholly in it; frozen ones are in eval mode.
        ends: By stage, but for the last one, the module whose output is the stage's, and the axis of its channels.
        widths: By stage the number of channels of its output; of the last one that of the features, D.
        head: The modules of the head: the classifier, after a dropout where there is one right before it.
        left_out: How names begin in files of weights that the network does not have: of auxiliary classifiers, and of
            the model's own head where a linear layer takes its place.
        unused: The parameters that get no gradient: the logits do not depend on them, or the model itself keeps them.
    """

    names: tuple[str, ...]
    stage_of: Mapping[str, str]
    modules: Mapping[str, tuple[str, ...]]
    ends: Mapping[str, tuple[str, int]]
    widths: Mapping[str, int]
    head: tuple[str, ...]
    left_out: tuple[str, ...]
    unused: tuple[str, ...]


def create(arch: str, num_classes: int) -> nn.Module:
    """Create torchvision's or timm's own module for images of its native size, with fresh parameters.

    A model that does not end in a linear layer on flat features gets one on its features, named ``linear_head``, in
    place of its own head.

    Raises:
        WeightsError: As ``stages``.
    """
    found = stages(arch)
    if found.head[-1] != ADDED_HEAD:
        return create_own(arch, num_classes)
    return add_head(create_own(arch, 0), found.widths[found.names[-1]], num_classes)


def num_stages(arch: str) -> int:
    """Return the number of stages of a backbone, which is also the freeze depth of a linear probe."""
    return len(stages(arch).names)


def freeze_depths(search: SearchSpec, arch: str) -> tuple[int, ...]:
    """Return the freeze depths that trials of an architecture may have."""
    return search.freeze_depth or tuple(range(num_stages(arch) + 1))


@functools.cache
@torch.inference_mode(False)
@torch.enable_grad()  # whatever the caller has: what gets a gradient is looked at
def stages(arch: str) -> Stages:
    """Return the stages of a backbone.

    torchvision's begin where the resolution falls. timm's are its own groups of parameters. Where there are more than
    6, neighbours are merged, but for the first, and a norm at the end belongs to the stage before it.

    Raises:
        WeightsError: There is no such backbone, it does not run without memory, or it gives no features.
    """
    model = _made(arch, 3)
    calls = _to_classifier(model, arch)
    if calls:
        return _stages(model, arch, calls, AUXILIARY.get(arch, ()))
    bare = _with_added_head(arch)
    own = tuple(name for name in model.state_dict() if name not in bare.state_dict())
    return _stages(bare, arch, _to_classifier(bare, arch), own)


def _with_added_head(arch: str) -> nn.Module:
    bare = _made(arch, 0)
    with torch.device("meta"):
        _, features = _ran(copy.deepcopy(bare), arch)
    if not isinstance(features, Tensor) or not 2 <= features.ndim <= 4 or not pooled(features).shape[1]:
        rule = f"must give features, tokens or maps without classes, as {arch} does not"
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise WeightsError(fault("arch", rule, got, _CHOOSE))
    with torch.device("meta"):
        return add_head(bare, pooled(features).shape[1], 3)


def _to_classifier(model: nn.Module, arch: str) -> list[Call]:
    """Return the calls of a model up to that of the linear layer that gives its logits; none where none does."""
    calls, logits = _ran(model, arch)
    last = next((at for at, one in enumerate(calls) if one.output is logits and _is_classifier(one)), -1)
    return calls[: last + 1]


def _made(arch: str, num_classes: int) -> nn.Module:
    with torch.device("meta"), _told(f"must be made for {num_classes} classes, as {arch} is not"):
        return create_own(arch, num_classes)


def _ran(model: nn.Module, arch: str) -> tuple[list[Call], Any]:
    with _told(f"must run without memory, as {arch} does not"):
        return calls_of(model, native_size(arch))


@contextmanager
def _told(rule: str) -> Iterator[None]:
    """Make one fault of whatever the code of a model raises, which may be a user's own."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
        raise WeightsError(fault("arch", rule, got, _CHOOSE)) from error


def _is_classifier(call: Call) -> bool:
    return isinstance(call.module, nn.Linear) and len(call.input_shape) == 2


def _is_dropout_of(classifier: Call, call: Call) -> bool:
    is_whole = math.prod(call.shape) == math.prod(classifier.input_shape)  # not that of a branch, as CrossViT has
    return isinstance(call.module, nn.Dropout) and is_whole


def _stages(model: nn.Module, arch: str, calls: Sequence[Call], left_out: tuple[str, ...]) -> Stages:
    *before, classifier = calls
    layers = [one for one in before if not any(one.module.children())]
    head = (*(one.name for one in layers[-1:] if _is_dropout_of(classifier, one)), classifier.name)
    groups = _merged(model, _groups(model, arch, calls, f"{classifier.name}."))
    names = ("stem", *(f"stage{index}" for index in range(1, len(groups))))
    stage_of = {name: stage for stage, group in zip(names, groups, strict=True) for name in group}
    stage_of |= {name: HEAD for name, _ in model.named_parameters() if name.startswith(f"{classifier.name}.")}
    whole = _whole(stage_of | _of_buffers(model, stage_of))
    of_modules = _of_modules(model, whole, before, head)
    ends = {stage: _end(stage, whole, of_modules, before) for stage in names[:-1]}
    return Stages(
        names=names,
        stage_of={name: next(iter(whole[name])) for name in model.state_dict()},
        modules={stage: tuple(name for name, of in of_modules.items() if of == stage) for stage in names},
        ends={stage: (call.name, call.channel_axis) for stage, call in ends.items()},
        widths={stage: call.shape[call.channel_axis] for stage, call in ends.items()}
        | {names[-1]: classifier.input_shape[1]},
        head=head,
        left_out=left_out,
        unused=unused(model, classifier.output),
    )


def _groups(model: nn.Module, arch: str, calls: Sequence[Call], head: str) -> list[list[str]]:
    """Return the names of the backbone's parameters in groups, input side first."""
    groups = (_groups_of_timm(model) if is_timm(arch) else None) or groups_by_resolution(model, calls)
    kept = [[name for name in group if not name.startswith(head)] for group in groups]
    return [group for group in kept if group]


def _groups_of_timm(model: nn.Module) -> list[list[str]] | None:
    """Return timm's own groups of parameters; None where a model has none."""
    if not hasattr(model, "group_matcher"):
        return None
    try:
        found = timm().models.group_parameters(model, model.group_matcher(coarse=True))  # type: ignore[operator]
    except AssertionError:  # RDNet's way to say that it has no coarse ones
        return None
    return [found[key] for key in sorted(found)]


def _merged(model: nn.Module, groups: list[list[str]]) -> list[list[str]]:
    ndims = {name: parameter.ndim for name, parameter in model.named_parameters()}
    while len(groups) > 1 and all(ndims[name] <= 1 for name in groups[-1]):  # a norm
        groups = [*groups[:-2], groups[-2] + groups[-1]]
    first, rest = groups[0], groups[1:]
    if len(rest) < _MOST:
        return groups
    num = next((num for num in (5, 4, 3) if len(rest) % num == 0), _MOST - 1)
    parts = np.array_split(np.arange(len(rest)), num)
    return [first, *([name for index in part for name in rest[index]] for part in parts)]


def _of_buffers(model: nn.Module, stage_of: Mapping[str, str]) -> dict[str, str]:
    """Return the stage of each buffer: that of the first parameter in the same module, or in the nearest around it."""
    first: dict[str, str] = {"": next(iter(stage_of.values()))}
    for name, stage in stage_of.items():
        for prefix in _prefixes(name):
            first.setdefault(prefix, stage)
    buffers = [name for name in model.state_dict() if name not in stage_of]
    return {name: next(first[prefix] for prefix in [*_prefixes(name), ""] if prefix in first) for name in buffers}


def _whole(stage_of: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the stages of what is in each module, by its name, and those of each parameter and buffer."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, stage in stage_of.items():
        for prefix in (name, *_prefixes(name)):
            found[prefix].add(stage)
    return dict(found)


def _prefixes(name: str) -> Iterable[str]:
    """Yield the names of the modules around a name, the innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _of_modules(
    model: nn.Module, whole: Mapping[str, set[str]], calls: Sequence[Call], head: tuple[str, ...]
) -> dict[str, str]:
    """Return the stage of each outermost module that lies in one; a module without tensors is in that before it."""
    found: dict[str, str] = {}
    bare: list[str] = []
    for name, _ in model.named_modules():
        if not name or name in head or any(around in found or around in bare for around in _prefixes(name)):
            continue
        within = whole.get(name, set())
        if len(within) == 1 and HEAD not in within:
            (found[name],) = within
        elif not within and not any(one.startswith(f"{name}.") for one in head):
            bare.append(name)
    stage = next(iter(found.values()))
    for call in calls:
        stage = next((found[name] for name in (call.name, *_prefixes(call.name)) if name in found), stage)
        if call.name in bare:
            found[call.name] = stage
    return found


def _end(stage: str, whole: Mapping[str, set[str]], of_modules: Mapping[str, str], calls: Sequence[Call]) -> Call:
    """Return the last call that is of nothing but a stage."""
    return [one for one in calls if of_modules.get(one.name) == stage or whole.get(one.name) == {stage}][-1]
