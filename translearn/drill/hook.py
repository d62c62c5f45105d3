"""Sets a trap in a process: by Python's audit events for files, and behind two functions that are called an epoch."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from translearn.drill.trap import Snare

Change = Callable[[ModuleType, Snare], None]


def install(snare: Snare) -> None:
    """Sets the trap in this process, for good."""
    sys.addaudithook(functools.partial(_audit, snare))
    changes = {name: functools.partial(change, snare=snare) for name, change in _CHANGES.items()}
    for name in changes.keys() & sys.modules.keys():
        changes[name](sys.modules[name])
    sys.meta_path.insert(0, _AfterImport(changes))


def setup_hook(snare: Snare) -> Callable[[], None]:
    """What sets the trap in each of Ray's workers, as its first deed."""

    def set_trap() -> None:
        install(snare)

    return set_trap


def epoch_name(stage: str, run: str, epoch: int, rank: int, num_runs: int) -> str:
    """What a trap's pattern is compared with.

    >>> epoch_name("refit", "transfer-0-1", 2, 0, 1)
    'refit/transfer-0-1/2/rank0/of1'
    """
    return f"{stage}/{run}/{epoch}/rank{rank}/of{num_runs}"


def _audit(snare: Snare, event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.rename":
        snare.step("placed", str(arguments[1]))
    elif event == "open" and "w" in (arguments[1] or ""):
        snare.step("opened", str(arguments[0]))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds a few modules as Python does, and changes them once they are imported: they are heavy."""

    def __init__(self, changes: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See ``MetaPathFinder``."""
        if fullname not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            load, change = spec.loader.exec_module, self._changes[fullname]

            def load_and_change(module: ModuleType) -> None:
                load(module)
                change(module)

            spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def _change_heat(module: ModuleType, snare: Snare) -> None:
    """``_row`` is called for each epoch of each trial that was trained, on every worker."""
    row = module._row

    @functools.wraps(row)
    def told(order: Any, place: int, result: Any, marks: Any, team: Any) -> Any:
        found = row(order, place, result, marks, team)
        stage = "replay" if order.heat.is_replay else "search"
        _end_epoch(snare, stage, found["run"], found["epoch"], team.rank, len(order.heat.contestants))
        return found

    module._row = told  # type: ignore[attr-defined]


def _change_worker(module: ModuleType, snare: Snare) -> None:
    """``_tell`` is called for each epoch of refits and of pre-training, on every worker."""
    tell = module._tell

    @functools.wraps(tell)
    def told(row: dict[str, Any], orders: Any, saved: Any = None) -> None:
        rank = module.ray.train.get_context().get_world_rank()
        _end_epoch(snare, orders.out.path.rpartition("/")[2], row["run"], row["epoch"], rank, 1)
        tell(row, orders, saved)

    module._tell = told  # type: ignore[attr-defined]


def _end_epoch(snare: Snare, stage: str, run: str, epoch: int, rank: int, num_runs: int) -> None:
    name = epoch_name(stage, run, epoch, rank, num_runs)
    if rank == 0:
        snare.tell(name)
    snare.step("epoch", name)


_CHANGES: dict[str, Any] = {
    "translearn.cluster.heat": _change_heat,
    "translearn.cluster.training.worker": _change_worker,
}
