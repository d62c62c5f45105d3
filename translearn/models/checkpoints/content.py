"""The named tensors in what a file holds: a mapping of tensors, in other mappings or not, beside anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from translearn.errors import WeightsError, fault
from translearn.models.weights import State

SAVE_AGAIN = "Save it with safetensors: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."

_DEEPEST = 6  # mappings in each other; VISSL's tensors lie in four
_LONGEST_NAME = 1000
_NUM_SHOWN = 100  # characters that a message repeats of a file


@dataclass(frozen=True, eq=False)
class Content:
    """The content of a file of weights.

    Attributes:
        tensors: Its tensors, on the CPU, by name. The names of the mappings around a mapping come first, with dots:
            ``model_ema.module.conv1.weight``.
        others: The names of all else in these mappings, likewise.
        objects: The classes of the Python objects in it, as "module.name". None of them was built.
    """

    tensors: State
    others: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


def named_tensors(tree: object, objects: tuple[str, ...], where: str) -> Content:
    """Return the named tensors of a file.

    Args:
        tree: What the file holds, as ``pickles.load_pickle`` gives it, or a mapping.
        objects: The classes of its Python objects.
        where: The name of the file in errors.

    Raises:
        WeightsError: It has no named tensors, or names that are too long or not unique.
    """
    found: State = {}
    others: list[str] = []
    for name, value in _leaves(tree, where) if isinstance(tree, dict) else ():
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            others.append(name)
        elif name in found:
            raise WeightsError(fault(where, "must have each name once", f"{cut(name)!r} twice", SAVE_AGAIN))
        else:
            found[name] = value.detach()
    if not found:
        raise WeightsError(fault(where, "must hold plain tensors only", _instead(tree, objects), SAVE_AGAIN))
    return Content(found, tuple(others), objects)


def cut(text: str) -> str:
    """Return the first characters of a text from a file, in one line."""
    return "".join(c if c.isprintable() else " " for c in text[:_NUM_SHOWN])


def _leaves(tree: dict[object, object], where: str) -> Iterator[tuple[str, object]]:
    """Yield what lies in nested mappings under names, each mapping once: one may hold itself."""
    seen = {id(tree)}

    def below(mapping: dict[object, object], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
        for key, value in dict.items(mapping):  # dict's: a file can give an OrderedDict an attribute of this name
            if not isinstance(key, str):
                continue
            _check_length(prefix + key, where)
            if not isinstance(value, dict) or depth == _DEEPEST:
                yield prefix + key, value
            elif id(value) not in seen:
                seen.add(id(value))
                yield from below(value, f"{prefix}{key}.", depth + 1)

    return below(tree, "", 1)


def _check_length(name: str, where: str) -> None:
    if len(name) > _LONGEST_NAME:
        rule, got = f"must have names of at most {_LONGEST_NAME:,} characters", f"one of {len(name):,}"
        raise WeightsError(fault(where, rule, f"{got}: {cut(name)!r}...", SAVE_AGAIN))


def _instead(tree: object, objects: tuple[str, ...]) -> str:
    """Return in words what a file without named tensors holds."""
    if objects:
        return f"the Python object {cut(objects[0])}"
    if not isinstance(tree, dict):
        return f"one {type(tree).__name__}"
    name, value = next(iter(dict.items(tree)), (None, None))
    return f"{type(value).__name__} under {_shown(name)}" if len(tree) else "an empty mapping"


def _shown(name: object) -> str:
    """Return a name for a message; a tuple could be without end."""
    return repr(name)[:_NUM_SHOWN] if isinstance(name, str | int) else f"a name of type {type(name).__name__}"
