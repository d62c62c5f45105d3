"""A search that an interrupted command left, to go on with."""

from __future__ import annotations

import json
from typing import Any

from ray import tune

from translearn.cluster.tracking.console import say
from translearn.errors import StorageError
from translearn.storage.atomic import atomic
from translearn.storage.folder import Folder


def restored(trainable: Any, experiment: Folder) -> tuple[tune.Tuner | None, int]:
    """Return the search that an earlier command left, and how many trials it has.

    None where there is none. One that cannot be read is named, and deleted, so that its trials are made again.

    Raises:
        StorageError: The storage does not answer.
    """
    path, fs = experiment.path, atomic(experiment.fs)
    states = [name for name in experiment.names() if name.startswith("experiment_state-")]
    if not states or not tune.Tuner.can_restore(path, storage_filesystem=fs):
        experiment.remove()
        return None, 0
    state, how = experiment.read_bytes(max(states)), {"resume_unfinished": True, "resume_errored": True}
    try:
        num_known = len(json.loads(state)["trial_data"])
        return tune.Tuner.restore(path, trainable, storage_filesystem=fs, **how), num_known
    except Exception as error:  # a pickle that is damaged raises anything
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):  # away, not damaged
            raise StorageError(
                f"{experiment.uri}: cannot be read ({error}). Run the same command again to go on."
            ) from error
        say(f"warning: {experiment.uri} cannot be read ({error}): its trials are made again")
        experiment.remove()
        return None, 0
