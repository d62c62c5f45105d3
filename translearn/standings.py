"""What is known of the trials of a race: their curves, and who is ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from translearn.contest import Contestant, Heat, Row


class Standings:
    """The rows of a race.

    Attributes:
        curves: Those of each trial by epoch.
        replayed: The last one of each replay, by trial.
    """

    def __init__(self, known: Iterable[Row] = ()) -> None:
        """Begins with the rows that earlier commands found."""
        self.curves: dict[str, dict[int, Row]] = {}
        self.replayed: dict[str, Row] = {}
        for row in known:
            self.take(row)

    def take(self, row: Row) -> bool:
        """Takes an epoch of a trial, ``is_replay`` where it is one of the replay; returns whether it was not known."""
        if row.get("is_replay"):
            self.replayed[row["run"]] = row
            return True
        curve = self.curves.setdefault(row["run"], {})
        return row["epoch"] not in curve and curve.setdefault(row["epoch"], row) is row

    def fail(self, heat: Heat, reason: str) -> None:
        """The only trial of a heat cannot be run."""
        run = heat.contestants[0].run
        epoch = max(self.curves.get(run, {0: {}})) + 1
        self.take({"run": run, "epoch": epoch, "reason": reason, "is_replay": heat.is_replay})

    def curve(self, contestant: Contestant) -> Mapping[int, Row]:
        """The rows of a trial by epoch."""
        return self.curves.get(contestant.run, {})

    def rows(self, heat: Heat) -> list[Row]:
        """All that is known of a heat's trials; of a replay the last row."""
        if heat.is_replay:
            return [self.replayed[one.run] for one in heat.contestants if one.run in self.replayed]
        return [row for one in heat.contestants for row in self.curve(one).values()]

    def reason(self, run: str, until: float = math.inf) -> str | None:
        """Why a trial failed, in an epoch up to ``until``; None where it did not."""
        rows = self.curves.get(run, {}).items()
        return next((row["reason"] for epoch, row in rows if row.get("reason") and epoch <= until), None)

    def last(self, run: str) -> Row:
        """The last row of a trial."""
        curve = self.curves.get(run, {})
        return curve[max(curve)] if curve else {}

    def ranked(self, contestants: Iterable[Contestant], epoch: int) -> list[Contestant]:
        """Those that came to an epoch, best validation error in it first; a tie goes to the lower loss.

        Nothing that came later counts: of a trial that is ahead of the others more may be known already, or not yet.
        """
        there = [one for one in contestants if epoch in self.curve(one) and not self.reason(one.run, epoch)]
        return sorted(there, key=lambda one: _merit(one, self.curve(one)[epoch]))

    def leader(self, contestants: Iterable[Contestant]) -> Contestant | None:
        """The one that is ahead by the last rows; None before there is any."""
        there = [one for one in contestants if self.last(one.run) and not self.reason(one.run)]
        return min(there, key=lambda one: _merit(one, self.last(one.run)), default=None)

    def is_known(self, heat: Heat) -> bool:
        """Whether a heat need not be run: all that it would find is there."""
        runs: Sequence[str] = [one.run for one in heat.contestants]
        if heat.is_replay:
            replay = self.replayed.get(runs[0], {"epoch": 0})
            return replay["epoch"] >= heat.until or "reason" in replay
        return all(heat.until in self.curves.get(run, {}) or self.reason(run) for run in runs)


def _merit(contestant: Contestant, row: Row) -> tuple[float, float, int]:
    return row["val_error"], row["val_loss"], contestant.number
