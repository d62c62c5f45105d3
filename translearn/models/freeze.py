"""Freezing of the first stages of a network: parameters and BatchNorm statistics alike.

Every parameter and buffer is accounted for by name: it is exactly one of frozen and trained.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, cast

from torch import Tensor, nn

from translearn.models.backbones.stages import HEAD
from translearn.models.network import Network

_SPARED = re.compile("pos_emb|position|token|layer_scale|attention_bias")


@dataclass(frozen=True)
class FreezeAccount:
    """Account of the parameters and buffers that training changes, by their names in ``state_dict``.

    Attributes:
        frozen: Those of the frozen stages; they stay bit for bit as they are.
        trained: All others; the few that no logit depends on never change.
    """

    frozen: tuple[str, ...]
    trained: tuple[str, ...]


def freeze(network: Network, depth: int) -> FreezeAccount:
    """Freeze the first ``depth`` stages and unfreeze all others.

    Frozen stages get no gradient and are in eval mode for good: ``network.train()`` leaves them there, so their
    BatchNorm uses and keeps the source's statistics. All others are in training mode afterwards. Parameters that no
    logit depends on, which few models have, get no gradient either: several workers would wait for theirs.

    Args:
        network: Changed in place.
        depth: 0 (full fine-tune) to the number of stages (linear probe).

    Raises:
        InputError: The depth is out of range.
    """
    account = freeze_account(network, depth)
    still = {*account.frozen, *network.stages.unused}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in still)
    network.freeze_depth = depth
    network.train()
    return account


def freeze_account(network: Network, depth: int) -> FreezeAccount:
    """Return the account of a freeze depth, without freezing. Raises InputError when it is out of range."""
    network.check_depth(depth)
    stages = network.stage_names[:depth]
    names = tuple(network.state_dict())
    return FreezeAccount(
        frozen=tuple(name for name in names if network.stage_of(name) in stages),
        trained=tuple(name for name in names if network.stage_of(name) not in stages),
    )


def trained_state(network: Network, depth: int) -> dict[str, Tensor]:
    """Copy the parameters and buffers that training changes to the CPU: a small checkpoint.

    Restore it with ``network.load_state_dict(state, strict=False)`` on the same source and depth.
    """
    state = network.state_dict()
    return {name: state[name].detach().to("cpu", copy=True) for name in freeze_account(network, depth).trained}


def parameter_groups(network: Network, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Return the trained parameters in an optimizer's groups, the head's first.

    Weights decay; norms, biases, position embeddings, tokens and what timm names do not. ``lr_scale`` is the
    part of the learning rate that a group has: 1 for the head, ``layer_decay`` for the last stage, its square for the
    stage before, and so on.

    Source: He et al., Bag of Tricks for Image Classification (CVPR 2019), section 3.1, "no bias decay"; Clark et al.,
    ELECTRA (ICLR 2020, arXiv:2003.10555), appendix A, layer-wise learning-rate decay; a stage is the layer here.
    """
    order = (HEAD, *reversed(network.stage_names))
    found: dict[tuple[int, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            below = order.index(network.stage_of(name)) if layer_decay < 1 else 0
            found[below, not _decays(network, name, parameter)].append(parameter)
    return [
        {
            "params": found[below, is_spared],
            "weight_decay": 0.0 if is_spared else weight_decay,
            "lr_scale": layer_decay**below,
        }
        for below, is_spared in sorted(found)
    ]


def _decays(network: Network, name: str, parameter: nn.Parameter) -> bool:
    of_timm = getattr(network.model, "no_weight_decay", tuple)
    is_named = _SPARED.search(name.rpartition(".")[2]) or any(fnmatch(name, one) for one in cast(Any, of_timm)())
    return parameter.ndim > 1 and not is_named
