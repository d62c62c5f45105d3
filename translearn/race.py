"""Which trials are trained how far, and which of them together.

Synchronous successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943): all trials of a generation run to the
first rung, the best 1/eta of them to the next, and so on to full length. Nothing is decided before all results are
there, so the choice depends on no timing and on no number of workers. With one rung, at the end, every trial runs to
its full length. A trial that is not promoted stops; one that is goes on from where it was.

The race says what is to be done next and is told what came of it; it knows of no process and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from translearn.contest import Contestant, Fate, Heat, Proposals, Row

Grouping = Callable[[Sequence[Contestant]], list[tuple[Contestant, ...]]]


class Race:
    """The state of a search.

    Attributes:
        contestants: All trials drawn so far, in order.
        curves: The rows of each trial by epoch.
        replay: The last row of the winner's replay; None before.
        racing: The trials that may go on from where they are.
        is_over: Whether nothing is left to do.
    """

    def __init__(
        self,
        proposals: Proposals,
        generations: Sequence[int],
        rungs: Sequence[int],
        reduction_factor: int,
        group: Grouping,
        known: Iterable[Row] = (),
        replays: bool = False,
    ) -> None:
        """Prepares a race.

        Args:
            proposals: Where the trials come from.
            generations: How many are drawn at a time; each generation may learn from those before.
            rungs: Epochs, ascending, the full length last.
            reduction_factor: At a rung the best 1/``reduction_factor`` of all trials that came there go on.
            group: Trials that are due at the same time as heats.
            known: What earlier commands found: heats of which all is known are not run again.
            replays: Whether the best trial is trained again plainly at the end.
        """
        self.contestants: list[Contestant] = []
        self.curves: dict[str, dict[int, Row]] = {}
        self.replay: Row | None = None
        self.racing: list[Contestant] = []
        self.is_over = False
        self._proposals, self._generations, self._rungs, self._eta = proposals, generations, rungs, reduction_factor
        self._group, self._replays = group, replays
        self._queue: list[Heat] = []
        self._open: list[Heat] = []
        self._stages = self._plan()
        for row in known:
            self.take(row)

    def next_heat(self) -> Heat | None:
        """What to run next; None where nothing is left, or what is running has to end first."""
        while not self.is_over:
            while self._queue:
                heat = self._queue.pop(0)
                if not self._is_known(heat):
                    self._open.append(heat)
                    return heat
            if self._open:
                return None
            self._queue = next(self._stages, [])
            self.is_over = not self._queue
        return None

    def take(self, row: Row) -> bool:
        """Takes an epoch of a trial, ``is_replay`` where it is one of the replay; returns whether it was not known."""
        if row.get("is_replay"):
            self.replay = row
            return True
        curve = self.curves.setdefault(row["run"], {})
        return row["epoch"] not in curve and curve.setdefault(row["epoch"], row) is row

    def close(self, heat: Heat) -> None:
        """A heat ended well."""
        self._open.remove(heat)

    def put_back(self, heat: Heat) -> None:
        """A heat was lost with its worker: it is due again."""
        self._open.remove(heat)
        self._queue.insert(0, heat)

    def fail(self, heat: Heat, reason: str) -> None:
        """A heat cannot be run. Its trials may be too many at once: they are tried in halves, then one by one."""
        self._open.remove(heat)
        trials, half = heat.contestants, len(heat.contestants) // 2
        if half:
            self._queue[:0] = [Heat(trials[:half], heat.until), Heat(trials[half:], heat.until)]
        else:
            epoch = max(self.curves.get(trials[0].run, {0: {}})) + 1
            self.take({"run": trials[0].run, "epoch": epoch, "reason": reason, "is_replay": heat.is_replay})

    def reason(self, run: str) -> str | None:
        """Why a trial failed; None where it did not."""
        return next((row["reason"] for row in self.curves.get(run, {}).values() if row.get("reason")), None)

    def last(self, run: str) -> Row:
        """The last row of a trial."""
        curve = self.curves.get(run, {})
        return curve[max(curve)] if curve else {}

    def _plan(self) -> Iterator[list[Heat]]:
        """The heats that are due at the same time, one such list after the other."""
        for size in self._generations:
            generation = self.racing = self._drawn(size)
            for rung in self._rungs:
                if self.racing:
                    yield self._heats(self.racing, rung)
                self.racing = self._promoted(self.racing, rung)
            self._proposals.tell([self._fate(contestant) for contestant in generation])
        self.racing = []
        if self._replays and (best := self._ranked(self.contestants, self._rungs[-1])):
            yield [Heat((best[0],), self._rungs[-1], is_replay=True)]

    def _drawn(self, size: int) -> list[Contestant]:
        points = self._proposals.draw(size)
        first = len(self.contestants) + 1
        drawn = [Contestant(number, point) for number, point in enumerate(points, first)]
        self.contestants += drawn
        return drawn

    def _heats(self, racing: Sequence[Contestant], rung: int) -> list[Heat]:
        return [Heat(members, rung) for members in self._group(racing)]

    def _promoted(self, racing: Sequence[Contestant], rung: int) -> list[Contestant]:
        """Those that go on: the best of all that ever came to the rung; scratch has a race of its own."""
        promoted = set()
        for is_scratch in (False, True):
            there = [one for one in self.contestants if one.point.is_scratch == is_scratch]
            ranked = self._ranked(there, rung)
            promoted |= set(ranked[: max(1, math.ceil(len(ranked) / self._eta))])
        return [contestant for contestant in racing if contestant in promoted]

    def _ranked(self, contestants: Sequence[Contestant], rung: int) -> list[Contestant]:
        there = [one for one in contestants if rung in self.curves.get(one.run, {}) and not self.reason(one.run)]

        def merit(contestant: Contestant) -> tuple[float, float, int]:
            row = self.curves[contestant.run][rung]
            return row["val_error"], row["val_loss"], contestant.number

        return sorted(there, key=merit)

    def _fate(self, contestant: Contestant) -> Fate:
        curve: Mapping[int, Row] = self.curves.get(contestant.run, {})
        errors = [] if self.reason(contestant.run) else [curve[epoch]["val_error"] for epoch in sorted(curve)]
        return Fate(errors, is_done=self._rungs[-1] in curve)

    def _is_known(self, heat: Heat) -> bool:
        runs = [contestant.run for contestant in heat.contestants]
        if heat.is_replay:
            replay = self.replay or {"run": None}
            return replay["run"] == runs[0] and (replay["epoch"] >= heat.until or "reason" in replay)
        return all(heat.until in self.curves.get(run, {}) or self.reason(run) for run in runs)
