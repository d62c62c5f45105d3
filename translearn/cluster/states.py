"""Where the loop states of a search's trials are: in memory between heats, and in storage for when that is lost."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import ray

from translearn.cluster.data.shared import laid_out, viewed
from translearn.cluster.training.checkpoints import sealed, unsealed
from translearn.storage.folder import Folder

#: ``curve``: the rows so far; ``state``: the loop's, of the last of them.
Saved = dict[str, Any]
_FOLDER = "states"


@dataclass(frozen=True)
class Places:
    """What finds the states; it is passed between processes.

    Attributes:
        desk: The handle of the search's ``Desk``.
        folder: The search's folder.
    """

    desk: Any
    folder: Folder

    def load(self, run: str) -> Saved | None:
        """The state of a trial: from memory, else from storage; None where there is none, or it was lost or damaged.

        A trial without a state begins anew, with the same bits.
        """
        found, folder, name = _from_memory(ray.get(self.desk.state.remote(run))), self.folder / _FOLDER, f"{run}.pt"
        if found is None and folder.exists(name):
            found = unsealed(folder.read_bytes(name))
        return found

    def keep(self, run: str, saved: Saved) -> None:
        """Keeps a state in memory."""
        ray.get(self.desk.keep.remote(run, (ray.put(laid_out(saved)),)))

    def write(self, run: str, saved: Saved) -> None:
        """Writes a state into storage."""
        (self.folder / _FOLDER).write_bytes(f"{run}.pt", sealed(saved))

    def forget(self, run: str) -> None:
        """Lets go of the state in memory, because storage has a later one."""
        ray.get(self.desk.drop.remote([run]))


class Writer:
    """Writes states in a thread while training goes on; at most one set of them waits."""

    def __init__(self, places: Places) -> None:
        self._places, self._pool = places, ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def write(self, states: dict[str, Saved], are_kept: bool) -> None:
        """Writes a state of each trial, when those before are written; ``are_kept``: memory has these states too."""
        self.wait()
        self._last = self._pool.submit(self._write, states, are_kept)

    def wait(self) -> None:
        """Until all is written; raises what went wrong."""
        if self._last:
            self._last.result()

    def _write(self, states: dict[str, Saved], are_kept: bool) -> None:
        for run, saved in states.items():
            self._places.write(run, saved)
            if not are_kept:
                self._places.forget(run)


def _from_memory(reference: tuple[Any] | None) -> Saved | None:
    if reference is None:
        return None
    try:
        return cast(Saved, viewed(ray.get(reference[0])))
    except (ray.exceptions.ObjectLostError, ray.exceptions.OwnerDiedError):
        return None
