"""State that an interrupted command left of its jobs: the last checkpoint of each, and the shape of its groups.

Each command has a folder of its own, in it one of Ray Train a group. Whichever group takes a job, it finds the job's
last checkpoint, so a command that goes on may have more groups or fewer.
"""

from __future__ import annotations

import json
from typing import Any

import ray.train

from translearn.cluster.tracking.console import say
from translearn.storage.folder import Folder

_SHAPE, _SNAPSHOT = "shape.json", "checkpoint_manager_snapshot.json"


class Interrupted:
    """The state in a folder, which need not exist."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def shape(self) -> dict[str, Any] | None:
        """Return the ``Layout.shape`` that was kept, if any.

        Without it a run's checkpoint could be followed by epochs of another number of workers: where it is damaged, the
        checkpoints are deleted.
        """
        if not self._folder.exists(_SHAPE):
            return None
        content = self._folder.read_bytes(_SHAPE)
        try:
            return dict(json.loads(content))
        except (ValueError, TypeError):
            say(f"warning: {self._folder.address(_SHAPE)} is damaged: runs that were interrupted begin anew")
            self._folder.remove()
            return None

    def keep_shape(self, shape: dict[str, Any]) -> None:
        """Keep a ``Layout.shape``."""
        self._folder.write_json(_SHAPE, shape)

    def new_attempt(self) -> Folder:
        """Return a folder that no command has had yet."""
        return self._folder / str(max(self._attempts(), default=-1) + 1)

    def checkpoints(self) -> dict[str, ray.train.Checkpoint]:
        """Return by job its last checkpoint, and delete all others."""
        found: dict[str, ray.train.Checkpoint] = {}
        where: dict[str, Folder] = {}
        for attempt in sorted(self._attempts()):
            for name in (self._folder / str(attempt)).names():
                group = self._folder / str(attempt) / name
                run, checkpoint = _last(group)
                if checkpoint is None:
                    group.remove()
                    continue
                if run in where:
                    where[run].remove()
                found[run], where[run] = checkpoint, group
        return found

    def remove(self) -> None:
        """Delete it all."""
        self._folder.remove()

    def _attempts(self) -> list[int]:
        return [int(name) for name in self._folder.names() if name.isdecimal()]


def _last(group: Folder) -> tuple[str, ray.train.Checkpoint | None]:
    """Return a group's last checkpoint and its job; None also where Ray Train's list of checkpoints is damaged."""
    if not group.exists(_SNAPSHOT):
        return "", None
    try:
        result = ray.train.Result.from_path(group.path, group.fs)
    except Exception as error:  # Ray writes the list in place, and says by many exceptions that it is damaged
        say(f"warning: {group.address(_SNAPSHOT)} is damaged ({type(error).__name__}): its run begins anew")
        return "", None
    return (result.metrics or {}).get("run", ""), result.checkpoint
