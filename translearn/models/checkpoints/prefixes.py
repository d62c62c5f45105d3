"""What stands before a backbone's names in a file: names of wrappers and of the mappings that hold it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable

from translearn.models.load import misfits, without_head
from translearn.models.network import Network
from translearn.models.weights import State

_MOST = 10  # that are told apart: a file made to do harm could have thousands


def prefixes(network: Network, names: Iterable[str]) -> list[str]:
    """Return what stands before names of a backbone, most frequent first; an empty text where nothing does."""
    found = _by_prefix(network, names)
    return sorted(found, key=lambda prefix: -len(found[prefix]))


def fitting(network: Network, tensors: State) -> list[str]:
    """Return the prefixes that have a whole backbone behind them, in order of appearance; at most 10."""
    shapes = {name: one.shape for name, one in without_head(network, network.state_dict()).items()}
    needed = {name for name in shapes if not name.endswith(".num_batches_tracked")}
    likely = (
        prefix
        for prefix, names in _by_prefix(network, tensors).items()
        if needed <= names and all(tensors[f"{prefix}{name}"].shape == shapes[name] for name in names)
    )
    whole = (prefix for prefix in likely if not misfits(network, below(network, tensors, prefix)))
    return list(itertools.islice(whole, _MOST))


def below(network: Network, tensors: State, prefix: str) -> State:
    """Return the tensors below a prefix that have names of the network's own modules, whether or not they fit.

    Names in other modules are left out: a projection head, prototypes, a queue.
    """
    own = {name.partition(".")[0] for name in network.state_dict()}
    rests = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
    return {name: one for name, one in rests.items() if name.partition(".")[0] in own}


def _by_prefix(network: Network, names: Iterable[str]) -> dict[str, set[str]]:
    """Return the names of the backbone that are found behind each prefix."""
    expected = without_head(network, network.state_dict())
    most_parts = 1 + max(name.count(".") for name in expected)
    found: dict[str, set[str]] = defaultdict(set)
    for name in names:
        parts = name.split(".")
        for num in range(1, min(most_parts, len(parts)) + 1):
            rest = ".".join(parts[-num:])
            if rest in expected:
                found[name.removesuffix(rest)].add(rest)
    return found
