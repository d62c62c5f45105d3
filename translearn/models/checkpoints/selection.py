"""Which of a file's tensors are the backbone: those under a prefix that has the whole of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from translearn.errors import WeightsError, fault, raise_faults
from translearn.models.checkpoints.content import Content, cut
from translearn.models.checkpoints.nearest import remedy
from translearn.models.checkpoints.prefixes import below, fitting, prefixes
from translearn.models.load import fit_faults, misfits
from translearn.models.network import Network
from translearn.models.weights import State

#: Names under which training keeps an average of weights over its steps. DINO's teacher is one.
AVERAGED = {
    *("ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "model_ema_state_dict"),
    *("swa_model", "averaged_model", "teacher"),
}

_NUM_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Selection:
    """The tensors of a file that are a backbone, with its head where the file has one.

    Attributes:
        state: The tensors, without the prefix.
        prefix: What stands before their names in the file, names of mappings included; empty where nothing does.
        passed_over: Where the weights are an average: the prefixes of others that fit as well.
        left_out: What else the file holds: names, or beginnings of names with how many begin so.
        objects: The classes of the Python objects in the file, which were not built.
    """

    state: State
    prefix: str
    passed_over: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return in words what was taken of the file, and what was not."""
        average = ", averaged over training" if _is_averaged(self.prefix) else ""
        instead = f", not {_listed(map(repr, self.passed_over))}" if self.passed_over else ""
        return [
            *([f"takes the weights after {self.prefix!r}{average}{instead}"] if self.prefix else []),
            *([f"leaves out {_listed(self.left_out)}"] if self.left_out else []),
            *([f"does not build {_listed(self.objects)}"] if self.objects else []),
        ]


def select(network: Network, content: Content, where: str, prefix: str | None = None) -> Selection:
    """Return a backbone's tensors in a file.

    Args:
        network: The backbone; may be without memory (device "meta").
        content: The file.
        where: The name of the source in errors.
        prefix: What stands before the backbone's names. None: whatever has the whole of it, averaged weights first.

    Raises:
        WeightsError: No prefix has the whole backbone, or several have; or a tensor holds NaN or infinity.
    """
    tensors = content.tensors
    fits = fitting(network, tensors)
    best = [one for one in fits if _is_averaged(one)] or fits or prefixes(network, tensors)[:1] or [""]
    if prefix is None and len(best) > 1:
        raise WeightsError(_several(network, best, where))
    taken = best[0] if prefix is None else _asked(prefix, tensors, best[0], where)
    state = below(network, tensors, taken)
    _check(network, state, content, where, taken)
    passed_over = [one for one in fits if _is_averaged(taken) and not _is_averaged(one)]
    return Selection(state, taken, tuple(passed_over), _left_out(content, state, taken), content.objects)


def _check(network: Network, state: State, content: Content, where: str, prefix: str) -> None:
    got = misfits(network, state)
    if got:
        rule = f"must fit {network.arch}, name by name" + (f" after {cut(prefix)!r}" if prefix else "")
        raise WeightsError(fault(where, rule, got, remedy(network, content.tensors)))
    raise_faults(fit_faults(network, state, where=where), WeightsError)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    rest = len(shown) - _NUM_SHOWN
    return ", ".join(shown[:_NUM_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _is_averaged(prefix: str) -> bool:
    return not AVERAGED.isdisjoint(prefix.split("."))


def _several(network: Network, fits: list[str], where: str) -> str:
    rule = f"must be given where a file holds a whole {network.arch} more than once"
    got = f"none for {' and '.join(repr(cut(one)) for one in fits)}"
    return fault(f"{where}.prefix", rule, got, f"Set `prefix: {cut(fits[0]) or repr('')}`, or the one that is meant.")


def _asked(prefix: str, tensors: State, best: str, where: str) -> str:
    """Return the prefix that was asked for with the dot at its end, which may be left out."""
    full = f"{prefix.rstrip('.')}." if prefix else ""
    if not any(name.startswith(full) for name in tensors):
        hint = f"Use {cut(best)!r}." if best else "Leave it out."
        raise WeightsError(fault(f"{where}.prefix", "must begin names of the file's tensors", repr(prefix), hint))
    return full


def _left_out(content: Content, state: State, prefix: str) -> tuple[str, ...]:
    """Return what is not taken, each by the first part of its name that tells it from what is."""
    taken, around = {f"{prefix}{name}" for name in state}, prefix.split(".")[:-1]
    rest = [name for name in (*content.tensors, *content.others) if name not in taken]
    groups, whole = Counter(_beginning(name.split("."), around) for name in rest), set(rest)
    return tuple(cut(name) if name in whole else f"{cut(name)} ({num})" for name, num in groups.items())


def _beginning(parts: list[str], around: list[str]) -> str:
    same = 0
    while same < min(len(around), len(parts) - 1) and parts[same] == around[same]:
        same += 1
    return ".".join(parts[: same + 1])
