"""What to do about tensors that do not fit: the architecture that fits best, and inputs of other than 3 channels."""

from __future__ import annotations

import functools

from torch import Tensor

from translearn.models.backbones.backbone import relatives
from translearn.models.checkpoints.prefixes import below, prefixes
from translearn.models.load import whole, without_head
from translearn.models.network import Network, skeleton
from translearn.models.weights import State
from translearn.words import plural

_LEAST = 0.5  # share of names with their shapes; below it the names are of something else

_without_memory = functools.cache(skeleton)


def remedy(network: Network, tensors: State) -> str:
    """Return what to do about a file's tensors that do not fit a network."""
    fits = {arch: _fit(_without_memory(arch), tensors) for arch in relatives(network.arch)}
    best = max(fits, key=lambda arch: fits[arch])
    if fits[best] <= _LEAST:
        return whole(network)
    other = [f"It fits {best} better: set `arch: {best}`."] if fits[best] > fits[network.arch] else []
    channels = _other_channels(_without_memory(best), tensors)
    return " ".join(other + channels) or whole(network)


def _fit(network: Network, tensors: State) -> float:
    """Return the share of names, of either side's backbone, that both have with the same shape: 0 to 1."""
    ours, theirs = _shapes(network, network.state_dict()), _shapes(network, _best(network, tensors))
    return len(ours & theirs) / len(ours | theirs)


def _shapes(network: Network, state: dict[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
    return {(name, tuple(one.shape)) for name, one in without_head(network, state).items()}


def _best(network: Network, tensors: State) -> State:
    return below(network, tensors, next(iter(prefixes(network, tensors)), ""))


def _other_channels(network: Network, tensors: State) -> list[str]:
    """Return what to do where the first convolution takes images of another number of channels."""
    given = _best(network, tensors)
    name, expected = next((name, one) for name, one in network.state_dict().items() if one.ndim == 4)
    shape = tuple(given[name].shape) if name in given else ()
    if len(shape) != 4 or shape[1] == expected.shape[1]:
        return []
    channels = plural(shape[1], "channel")
    return [f"{name} takes {channels} and images have 3: use weights that were trained on R, G and B."]
