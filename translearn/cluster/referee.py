"""Between Tune and a race: gives heats to lanes that are free, and the race what came of them."""

from __future__ import annotations

import dataclasses
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.result import DONE

from translearn.cluster.tracking.console import say
from translearn.cluster.training.checkpoints import sealed_rows, unsealed_rows
from translearn.contest import Heat, Point, Row
from translearn.errors import TranslearnError
from translearn.race import Race
from translearn.storage.folder import Folder

_MAX_LOSSES = 3
_MAX_IDLE_LOSSES = 10
_HEATS, _IDLE = "heats", "idle"


class Referee(tune.Callback):
    """Lives in the driver, and is called by Tune.

    Heats that ended are written down in the search's folder, so that a search that was interrupted goes on from them.

    Attributes:
        race: The race.
        fault: What ended the search, and not just a trial; None else.
    """

    def __init__(self, race: Race, desk: Any, folder: Folder, on_row: Callable[[Row, Point], None]) -> None:
        """Takes a race that nobody has begun.

        Args:
            race: The race.
            desk: The handle of its ``Desk``.
            folder: The search's folder.
            on_row: Is told of each new row of a trial, with the trial's point.
        """
        self.race, self._desk, self._folder, self._on_row = race, desk, folder, on_row
        self.fault: TranslearnError | None = None
        self._free: set[int] = set()
        self._heats: dict[int, Heat] = {}
        self._losses: Counter[str] = Counter()
        self._racing: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes its callbacks down, and nobody reads that."""
        return {}

    def on_trial_start(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A lane is there, for the first time or again."""
        self._free.add(trial.config["lane"])
        self._dispatch()

    def on_trial_recover(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A lane died; Tune starts it again, and until then another one takes its heat."""
        self._lost(trial.config["lane"])
        self._dispatch()

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A lane died for good."""
        self.on_trial_recover(iteration, trials, trial)

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:  # noqa: ARG002
        """An epoch of a heat, or its end."""
        try:
            self._take(trial.config["lane"], result)
        except TranslearnError as error:  # Tune makes a traceback of it
            self.fault = error
            raise

    def _take(self, lane: int, result: dict[str, Any]) -> None:
        if result.get("fault"):
            raise TranslearnError(f"search: {result['fault']}")
        for row in result.get("rows", ()):
            if self.race.standings.take(row):
                self._write_down_rung(self._heats[lane], row["epoch"])
                self._on_row(row, next(one.point for one in self.race.contestants if one.run == row["run"]))
        if result.get("reason"):
            self._fail(self._heats.pop(lane), result["reason"])
        elif result.get("is_over"):
            self._close(self._heats.pop(lane))
        if result.get(DONE):
            return
        if lane not in self._heats:
            self._free.add(lane)
        if self._free:  # a pilot may have come to where the others wait for it
            self._dispatch()

    def _dispatch(self) -> None:
        while self._free and (heat := self.race.next_heat()):
            lane = min(self._free)
            self._free.remove(lane)
            self._heats[lane] = heat
            self._desk.assign.remote(lane, pickle.dumps(heat))
        self._drop()
        for lane, heat in self._heats.items():
            if not self.race.wants(heat):
                self._desk.abandon.remote(lane)
        for lane in self._free if self.race.is_over else ():
            self._desk.assign.remote(lane, None)

    def _drop(self) -> None:
        """Lets go of the states of trials that do not go on."""
        racing = {one.run for one in self.race.racing}
        if out := self._racing - racing:
            self._desk.drop.remote(sorted(out))
        self._racing = racing

    def _close(self, heat: Heat) -> None:
        if self.race.wants(heat):
            self._write_down(heat)
        self.race.close(heat)

    def _fail(self, heat: Heat, reason: str) -> None:
        self.race.fail(heat, reason)
        if self.race.standings.is_known(heat):  # and not to be tried in parts
            self._write_down(heat)

    def _write_down_rung(self, heat: Heat, epoch: int) -> None:
        """What the others are compared with has to be there when the search goes on after an interruption."""
        if self.race.is_past_a_rung(heat, epoch):
            self._write_down(dataclasses.replace(heat, until=epoch))

    def _write_down(self, heat: Heat) -> None:
        content = sealed_rows(self.race.standings.rows(heat))
        (self._folder / _HEATS).write_bytes(f"{heat.name}.json", content)

    def _lost(self, lane: int) -> None:
        self._free.discard(lane)
        self._desk.clear.remote(lane)
        heat = self._heats.pop(lane, None)
        if heat is None:
            self._count_idle_loss()
            return
        self._losses[heat.name] += 1
        if self._losses[heat.name] < _MAX_LOSSES:
            self.race.put_back(heat)
        else:
            self._fail(heat, f"its worker died {_MAX_LOSSES} times, perhaps for want of memory")

    def _count_idle_loss(self) -> None:
        """A lane that never comes to its first heat would be started again for ever."""
        self._losses[_IDLE] += 1
        if self._losses[_IDLE] >= _MAX_IDLE_LOSSES:
            self.fault = TranslearnError(
                f"search: its processes died {_MAX_IDLE_LOSSES} times before they had anything to do. See Ray's logs."
            )
            raise self.fault


def known_rows(folder: Folder) -> list[Row]:
    """The rows of the heats that ended, in a search's folder; a damaged file is named and left out."""
    heats = folder / _HEATS
    # A driver that was killed may have left a part of a file, under another name.
    names = sorted(name for name in heats.names() if name.endswith(".json")) if heats.exists() else []
    return [row for name in names for row in _rows(heats, name)]


def _rows(heats: Folder, name: str) -> list[Row]:
    rows = unsealed_rows(heats.read_bytes(name))
    if rows is None:
        say(f"warning: {heats.address(name)} is damaged: its trials are trained again")
    return rows or []
