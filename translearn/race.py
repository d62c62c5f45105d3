"""Which trials are trained how far, and which of them together.

Synchronous successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943): all trials of a generation run to the
first rung, the best 1/eta of them to the next, and so on to full length. Nothing is decided before all results are
there, so the choice depends on no timing and on no number of workers. With one rung, at the end, every trial runs to
its full length. A trial that is not promoted stops; one that is goes on from where it was. Pilots, the first trials
where a ranking recommends them, run to full length at once and first of all: the others race on meanwhile, and are
compared with what a pilot was at the same rung.

The race says what is to be done next and is told what came of it; it knows of no process and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from translearn.contest import Contestant, Fate, Heat, League, Proposals, Row, scratch_apart
from translearn.standings import Standings

Grouping = Callable[[Sequence[Contestant]], list[tuple[Contestant, ...]]]


class Race:
    """The state of a search.

    Attributes:
        contestants: All trials drawn so far, in order.
        standings: What is known of them.
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
        replays_ahead: bool = False,
        league: League = scratch_apart,
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
            replays_ahead: Whether, while the last trials are trained, what has nothing to do replays the one that is
                ahead: done already if it wins, and else for nothing. It changes no result.
            league: Who races against whom.
        """
        self.contestants: list[Contestant] = []
        self.standings = Standings(known)
        self.racing: list[Contestant] = []
        self.is_over = False
        self._proposals, self._generations, self._rungs, self._eta = proposals, generations, rungs, reduction_factor
        self._group, self._replays, self._replays_ahead = group, replays, replays_ahead
        self._league = league
        self._queue: list[Heat] = []
        self._open: list[Heat] = []
        self._early: Heat | None = None
        self._rung, self._is_last = rungs[0], False
        self._stages = self._plan()

    def next_heat(self) -> Heat | None:
        """What to run next; None where nothing is left, or something that is running has to come further first."""
        while not self.is_over:
            while self._queue:
                heat = self._queue.pop(0)
                if not self.standings.is_known(heat) and not self._is_begun(heat):
                    self._open.append(heat)
                    return heat
            if any(map(self._is_awaited, self._open)):
                return self._ahead()
            stage = next(self._stages, None)
            self.is_over = stage is None
            self._queue = stage or []
        return None

    @property
    def replay(self) -> Row | None:
        """The last row of the winner's replay; None before."""
        best = self.standings.ranked(self.contestants, self._rungs[-1])
        return self.standings.replayed.get(best[0].run) if best else None

    def wants(self, heat: Heat) -> bool:
        """Whether what a heat that is running finds may still be of use."""
        return heat in self._open or heat == self._early

    def is_past_a_rung(self, heat: Heat, epoch: int) -> bool:
        """Whether a pilot comes to an epoch at which others are compared with it, and goes on."""
        return epoch in self._rungs and epoch < heat.until and not heat.is_replay

    def close(self, heat: Heat) -> None:
        """A heat ended well, or was broken off because nobody wants it."""
        self._leave(heat)

    def put_back(self, heat: Heat) -> None:
        """A heat was lost with its worker: it is due again."""
        if self._leave(heat):
            self._queue.insert(0, heat)

    def fail(self, heat: Heat, reason: str) -> None:
        """A heat cannot be run. Its trials may be too many at once: they are tried in halves, then one by one."""
        if not self._leave(heat):
            return
        trials, half = heat.contestants, len(heat.contestants) // 2
        if half:
            self._queue[:0] = [Heat(trials[:half], heat.until), Heat(trials[half:], heat.until)]
        else:
            self.standings.fail(heat, reason)

    def _is_awaited(self, heat: Heat) -> bool:
        """Whether the others need a heat's end; of a pilot they need no more than the rung where they are."""
        is_there = self.standings.is_known(Heat(heat.contestants, self._rung))
        return heat.until <= self._rung or not is_there

    def _leave(self, heat: Heat) -> bool:
        """Takes a heat from those that are running; returns whether it was due."""
        if heat == self._early:
            self._early = None
        is_due = heat in self._open
        if is_due:
            self._open.remove(heat)
        return is_due

    def _is_begun(self, heat: Heat) -> bool:
        """Whether a replay that is due runs already; one that runs and is not due is let go."""
        early, self._early = self._early, None if heat.is_replay else self._early
        if heat.is_replay and heat == early:
            self._open.append(heat)
            return True
        return False

    def _ahead(self) -> Heat | None:
        """The replay of the trial that is ahead, while the last ones are trained."""
        if not (self._replays and self._replays_ahead and self._is_last) or self._early:
            return None
        last = self._rungs[-1]
        leader = self.standings.leader(
            one for one in self.contestants if one in self.racing or last in self.standings.curve(one)
        )
        heat = Heat((leader,), last, is_replay=True) if leader else None
        self._early = heat if heat and not self.standings.is_known(heat) else None
        return self._early

    def _plan(self) -> Iterator[list[Heat]]:
        """The heats that are due at the same time, one such list after the other."""
        for index, size in enumerate(self._generations, 1):
            generation = self.racing = self._drawn(size)
            for rung in self._rungs:
                self._is_last = index == len(self._generations) and rung == self._rungs[-1]
                self._rung = rung
                yield self._due(self.racing, rung)
                self.racing = self._promoted(self.racing, rung)
            self._proposals.tell([self._fate(contestant) for contestant in generation])
        self.racing, self._is_last = [], False
        if self._replays and (best := self.standings.ranked(self.contestants, self._rungs[-1])):
            yield [Heat((best[0],), self._rungs[-1], is_replay=True)]

    def _drawn(self, size: int) -> list[Contestant]:
        points = self._proposals.draw(size)
        first = len(self.contestants) + 1
        drawn = [Contestant(number, point) for number, point in enumerate(points, first)]
        self.contestants += drawn
        return drawn

    def _due(self, racing: Sequence[Contestant], rung: int) -> list[Heat]:
        """What those that race have to do for a rung; a pilot begins at the first one and does all."""
        pilots = [one for one in racing if self._is_pilot(one)]
        begun = [Heat((one,), self._rungs[-1]) for one in pilots] if rung == self._rungs[0] else []
        others = [one for one in racing if one not in pilots]
        return begun + ([Heat(members, rung) for members in self._group(others)] if others else [])

    def _is_pilot(self, contestant: Contestant) -> bool:
        return len(self._rungs) > 1 and contestant.number <= self._proposals.num_pilots

    def _promoted(self, racing: Sequence[Contestant], rung: int) -> list[Contestant]:
        """Those that go on: the best of all of their league that ever came to the rung."""
        promoted = set()
        for league in {self._league(one.point) for one in racing}:
            there = [one for one in self.contestants if self._league(one.point) == league]
            ranked = self.standings.ranked(there, rung)
            promoted |= set(ranked[: max(1, math.ceil(len(ranked) / self._eta))])
        return [contestant for contestant in racing if contestant in promoted]

    def _fate(self, contestant: Contestant) -> Fate:
        curve = self.standings.curve(contestant)
        errors = [] if self.standings.reason(contestant.run) else [curve[epoch]["val_error"] for epoch in sorted(curve)]
        return Fate(errors, is_done=self._rungs[-1] in curve)
