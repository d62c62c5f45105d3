"""Loading of a source's tensors into a network, with every parameter and buffer accounted for by name.

Each is exactly one of loaded and reinitialised. The backbone must fit wholly; anything unexplained is an error that
shows both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from translearn.errors import WeightsError, fault, raise_faults
from translearn.models.backbones.names import is_timm
from translearn.models.network import Network
from translearn.models.weights import non_finite

_NUM_SHOWN, _LONGEST_SHOWN = 5, 100
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class LoadAccount:
    """Account of the origin of a network's parameters and buffers, by their names in ``state_dict``.

    Attributes:
        loaded: From the source.
        reinitialised: Fresh; the head for a new task, and BatchNorm's step counters where old files have none.
    """

    loaded: tuple[str, ...]
    reinitialised: tuple[str, ...]


def load_source(
    network: Network, state: Mapping[str, Tensor], *, keep_head: bool = False, where: str = "weights"
) -> LoadAccount:
    """Copy a source's tensors into a network.

    Args:
        network: Changed in place; its dtypes and memory format stay.
        state: The source's tensors, under the model's names; what it has for a head is left out.
        keep_head: Load the head too: for the source task itself, not for a new one.
        where: The name of the source in errors.

    Raises:
        WeightsError: As ``fit_faults`` says. The network is unchanged then.
    """
    raise_faults(fit_faults(network, state, keep_head=keep_head, where=where), WeightsError)
    given = _wanted(network, state, keep_head)
    network.load_state_dict(given, strict=False)
    names = tuple(network.state_dict())
    return LoadAccount(
        loaded=tuple(name for name in names if name in given),
        reinitialised=tuple(name for name in names if name not in given),
    )


def fit_faults(
    network: Network,
    state: Mapping[str, Tensor],
    *,
    keep_head: bool = False,
    where: str = "weights",
) -> list[str]:
    """Return the faults of tensors for a network: missing or unexpected names, other shapes or kinds, NaN or infinity.

    The network may be without memory (device "meta").
    """
    got = misfits(network, state, keep_head=keep_head)
    if got:
        return [fault(where, f"must fit {network.arch}, name by name", got, whole(network))]
    return _finite_faults(_wanted(network, state, keep_head), where)


def misfits(network: Network, state: Mapping[str, Tensor], *, keep_head: bool = False) -> str:
    """Return in words the names of both sides that do not fit: missing, unexpected, of another shape or kind."""
    expected, given = (_wanted(network, one, keep_head) for one in (network.state_dict(), state))
    unlike = [_difference(name, expected[name], given[name]) for name in expected if name in given]
    lists = {
        # Files from before PyTorch 0.4.1 have no step counters; nothing depends on them.
        "missing": [name for name in expected if name not in given and not name.endswith(".num_batches_tracked")],
        "unexpected": [name for name in given if name not in expected],
        "different": [text for text in unlike if text],
    }
    return "; ".join(f"{len(names)} {kind}: {_capped(names)}" for kind, names in lists.items() if names)


def without_head(network: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that are not under the names of the network's head."""
    return _wanted(network, state, keep_head=False)


def whole(network: Network) -> str:
    """Return the remedy for tensors that do not fit a network."""
    whose = "timm" if is_timm(network.arch) else "torchvision"
    return f"It must hold the whole backbone under {whose}'s names; a head may be left out."


def _wanted(network: Network, state: Mapping[str, Tensor], keep_head: bool) -> dict[str, Tensor]:
    head = () if keep_head else (f"{network.stages.head[-1]}.",)
    left_out = (*head, *network.stages.left_out)
    return {name: tensor for name, tensor in state.items() if not name.startswith(left_out)}


def head_width(network: Network, state: Mapping[str, Tensor]) -> int | None:
    """Return the number of classes of the head in a source's tensors; None where they have none."""
    weight = state.get(f"{network.stages.head[-1]}.weight")
    return None if weight is None else len(weight)


def _difference(name: str, expected: Tensor, given: Tensor) -> str:
    if expected.shape != given.shape:
        return f"{name} {tuple(given.shape)} for {tuple(expected.shape)}"
    if given.dtype not in (_FLOATS if expected.is_floating_point() else (torch.int64,)):
        return f"{name} {given.dtype} for {expected.dtype}"
    return ""


def _finite_faults(state: Mapping[str, Tensor], where: str) -> list[str]:
    bad = non_finite(state)
    if not bad:
        return []
    return [fault(where, "must hold finite numbers only", f"NaN or infinity in {_capped(bad)}", "Train it again.")]


def _capped(names: list[str]) -> str:
    rest = len(names) - _NUM_SHOWN
    return ", ".join(name[:_LONGEST_SHOWN] for name in names[:_NUM_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
