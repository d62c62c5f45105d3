"""A lane of a search: a Tune actor that lives through it, and runs heat after heat on its share of the cluster.

Tune would end an actor that finds no trial to run next, as all do but one where trials wait for each other at a rung;
here such an actor waits for its next heat, with torch imported and the data mapped.
"""

from __future__ import annotations

import os
import pickle
import time
import traceback
from collections.abc import Iterator
from typing import Any, Protocol

import ray
import torch
from ray import tune
from ray.tune.result import DONE

from translearn.cluster.heat import Order, Setting, run_heat
from translearn.cluster.node_cache import close_node_cache
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.log import LOGGED, log
from translearn.contest import Heat, Row
from translearn.errors import TranslearnError, WorkersLostError
from translearn.storage.folder import Folder
from translearn.training.distributed import Team
from translearn.training.precision import prepare_process


class Crew(Protocol):
    """Who runs a lane's heats."""

    def serve(self, order: Order) -> Iterator[list[Row]]:
        """Runs a heat; yields the rows of each epoch."""

    def close(self) -> None:
        """Gives everything back."""


class Alone:
    """The lane's own process as its crew."""

    def __init__(self, resources: Resources) -> None:
        prepare_process(resources.cpus)
        self._team = Team(device=torch.device("cuda" if resources.gpus else "cpu"))

    def serve(self, order: Order) -> Iterator[list[Row]]:
        """See ``Crew``."""
        return run_heat(order, self._team)

    def close(self) -> None:
        """See ``Crew``."""
        close_node_cache()


def _crew(name: str, resources: Resources, folder: Folder) -> Crew:
    if resources.workers_per_trial == 1:
        return Alone(resources)
    # Ray Train takes half a second to import.
    from translearn.cluster.warm_group import WarmGroup

    return WarmGroup(run_heat, name, resources, folder)


def _blamed(error: Exception) -> str:
    """``fault`` where no trial could be run, as without storage; ``reason`` where these cannot, as without memory."""
    if isinstance(error, WorkersLostError):
        return "reason"
    return "fault" if isinstance(error, TranslearnError | OSError | ray.exceptions.RayError) else "reason"


class Lane(tune.Trainable):
    """Runs the heats that the desk assigns to it; a step is an epoch of one.

    What it reports: ``rows``, the rows of an epoch; ``is_over``, whether the heat ended with them; ``reason``, why it
    could not be run; ``fault``, why none can.
    """

    def setup(self, config: dict[str, Any], setting: Setting, resources: Resources, folder: Folder) -> None:
        """Gets ready: what is heavy is done once, here."""
        self._lane, self._setting = config["lane"], setting
        name = f"lane-{self._lane}-{os.getpid()}"
        self._crew = _crew(name, resources, folder)
        self._rows: Iterator[list[Row]] | None = None
        self._start_s, self._num_heats = time.process_time(), 0

    def step(self) -> dict[str, Any]:
        """The next epoch of the heat at hand, or of the next one."""
        if self._rows is None:
            told = ray.get(self._setting.places.desk.next_heat.remote(self._lane, os.getpid()))
            if told is None:
                return {DONE: True}
            self._heat: Heat = pickle.loads(told)
            self._rows = self._crew.serve(Order(self._setting, self._heat, self._reused_s()))
        try:
            rows = None if self._is_abandoned() else next(self._rows, None)
        except Exception as error:
            traceback.print_exc()  # to Ray's logs
            self._rows = None
            self._log("failed", [one.run for one in self._heat.contestants], reason=f"{type(error).__name__}: {error}")
            return {_blamed(error): f"{type(error).__name__}: {error}"}
        if rows is None:
            self._rows = None
        for row in rows or []:
            self._log("epoch", [row["run"]], **{name: row[name] for name in LOGGED if name in row})
        return {"rows": rows or [], "is_over": rows is None}

    def cleanup(self) -> None:
        """Ends the crew."""
        self._crew.close()

    def _log(self, event: str, runs: list[str], **fields: Any) -> None:
        for run in runs:
            log(event, self._setting.spec.name, run, self._lane, **fields)

    def _is_abandoned(self) -> bool:
        return self._heat.is_replay and bool(ray.get(self._setting.places.desk.is_abandoned.remote(self._lane)))

    def _reused_s(self) -> float:
        """What a new process would have computed to be ready, where this one is not new."""
        self._num_heats += 1
        return self._start_s if self._num_heats > 1 else 0.0
