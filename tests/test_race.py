"""The race: who goes on, what is run again after an interruption, and what happens to heats that fail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.contest import Contestant, Fate, Heat, Point
from translearn.race import Race
from translearn.rungs import epochs_to_run, rungs


class Listed:
    """Points of one source, in order; remembers what it is told."""

    def __init__(self, num_scratch: int = 0, num_pilots: int = 0) -> None:
        self.drawn, self.num_scratch, self.told, self.num_pilots = 0, num_scratch, [], num_pilots

    def draw(self, num: int) -> list[Point]:
        first, self.drawn = self.drawn, self.drawn + num
        return [self._point(index) for index in range(first, self.drawn)]

    def tell(self, fates: Sequence[Fate]) -> None:
        self.told.append(list(fates))

    def _point(self, index: int) -> Point:
        is_scratch = index < self.num_scratch
        return Point("scratch" if is_scratch else "a", 0 if is_scratch else 2, 0.01, 0.0, is_scratch)


def singly(contestants: Sequence[Contestant]) -> list[tuple[Contestant, ...]]:
    return [(one,) for one in contestants]


def together(contestants: Sequence[Contestant]) -> list[tuple[Contestant, ...]]:
    return [tuple(contestants)]


def row(contestant: Contestant, epoch: int, error: float) -> dict:
    return {"run": contestant.run, "epoch": epoch, "val_error": error, "val_loss": error}


def run(race: Race, error, stop_after: int | None = None) -> list[Heat]:
    """Does heats until the race is over; ``error(number, epoch)`` makes the curves."""
    done = []
    while (heat := race.next_heat()) and (stop_after is None or len(done) < stop_after):
        for one in heat.contestants:
            for epoch in range(1, heat.until + 1):
                race.standings.take({**row(one, epoch, error(one.number, epoch)), "is_replay": heat.is_replay})
        race.close(heat)
        done.append(heat)
    return done


@pytest.mark.parametrize(
    ("epochs", "first", "eta", "expected"),
    [
        (20, 2, 3, (3, 7, 20)),
        (27, 1, 3, (1, 3, 9, 27)),
        (9, 2, 3, (3, 9)),
        (2, 2, 3, (2,)),
        (1, 2, 2, (1,)),
        (8, 1, 2, (1, 2, 4, 8)),
    ],
)
def test_rungs_by_hand(epochs: int, first: int, eta: int, expected: tuple[int, ...]) -> None:
    assert rungs(epochs, first, eta) == expected


@given(st.integers(1, 300), st.integers(1, 20), st.integers(2, 5))
def test_rungs_ascend_to_the_full_length_and_none_is_before_the_first(epochs: int, first: int, eta: int) -> None:
    found = rungs(epochs, first, eta)
    assert found[-1] == epochs
    assert list(found) == sorted(set(found))
    assert all(rung >= first for rung in found[:-1])


def test_nine_trials_by_successive_halving() -> None:
    # Trial n ends at n / 10, but the last three look best at the first epoch.
    race = Race(Listed(), [9], (1, 3, 9), 3, singly)
    run(race, lambda number, epoch: 0.01 * (10 - number) if epoch == 1 else number / 10)
    lengths = {contestant.number: max(race.standings.curves[contestant.run]) for contestant in race.contestants}
    assert lengths == {**dict.fromkeys(range(1, 7), 1), 7: 9, 8: 3, 9: 3}
    assert race.is_over
    assert sum(lengths.values()) < 9 * 9 / 3


def test_the_epochs_of_a_race_over_those_of_all_trials() -> None:
    # The arithmetic of Jamieson & Talwalkar: 27 trials, eta 3, 27 epochs: (27 + 9 * 2 + 3 * 6 + 1 * 18) / 729.
    race = Race(Listed(), [27], rungs(27, 1, 3), 3, singly)
    run(race, lambda number, _: number / 100)
    assert sum(max(curve) for curve in race.standings.curves.values()) == 27 + 18 + 18 + 18
    assert epochs_to_run(27, rungs(27, 1, 3), 3) == 27 + 18 + 18 + 18
    assert epochs_to_run(27, (27,), 3) == 27 * 27


def test_one_rung_stops_nobody() -> None:
    race = Race(Listed(2), [4, 3], (5,), 3, together)
    heats = run(race, lambda number, _: number / 10)
    assert [len(heat.contestants) for heat in heats] == [4, 3]
    assert {max(curve) for curve in race.standings.curves.values()} == {5}


def test_scratch_has_a_race_of_its_own() -> None:
    race = Race(Listed(3), [6], (1, 3), 3, singly)
    run(race, lambda number, _: 1 - number / 10)  # scratch, 1 to 3, is the worst of all
    assert {one.number for one in race.contestants if max(race.standings.curves[one.run]) == 3} == {3, 6}


def test_a_pilot_is_trained_whole_first_of_all_and_counts_like_the_rest() -> None:
    listed = Listed(num_pilots=1)
    race = Race(listed, [6, 3], (1, 3, 9), 3, singly)
    heats = run(race, lambda number, _: number / 10)
    assert [(heat.contestants[0].number, heat.until) for heat in heats] == [
        (1, 9),
        *((number, 1) for number in range(2, 7)),
        (2, 3),  # and the pilot is promoted with it, to a rung where it was already
        *((number, 1) for number in range(7, 10)),
    ]
    assert listed.told[0][0] == Fate([0.1] * 9, is_done=True)


def test_a_pilot_that_others_overtake_still_ends() -> None:
    listed = Listed(num_pilots=1)
    race = Race(listed, [6], (1, 3), 3, singly, replays=True)
    heats = run(race, lambda number, _: 1 - number / 10)
    assert [(heat.contestants[0].number, heat.until) for heat in heats if heat.until == 3] == [
        (1, 3),
        (5, 3),
        (6, 3),
        (6, 3),
    ]
    assert [fate.is_done for fate in listed.told[0]] == [True, False, False, False, True, True]


def test_the_others_wait_for_a_pilot_at_their_rung_and_no_further() -> None:
    race = Race(Listed(num_pilots=1), [3], (1, 3, 9), 3, singly)
    pilot, second, third = (race.next_heat() for _ in range(3))
    assert pilot and second and third  # noqa: PT018
    assert pilot.until == 9
    for heat in (second, third):
        finish(race, heat, {2: 0.1, 3: 0.3})
    assert race.next_heat() is None
    race.standings.take(row(pilot.contestants[0], 1, 0.2))
    following = race.next_heat()
    assert following == Heat(second.contestants, 3)
    finish(race, following, {2: 0.1})
    assert race.next_heat() is None  # at the next rung there is but one to go on, and the pilot may be better
    race.put_back(pilot)
    assert race.next_heat() == pilot
    finish(race, pilot, {1: 0.2})
    last = race.next_heat()
    assert last == Heat(second.contestants, 9)
    finish(race, last, {2: 0.1})
    assert race.next_heat() is None
    assert race.is_over


@pytest.mark.parametrize("pilot_error", [0.05, 0.95])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_pilot_that_diverges_later_counts_at_the_rungs_where_it_was(pilot_error: float, is_known: bool) -> None:
    """Whether its end is known when the others are compared depends on time, and on whether the search is resumed."""

    def diverges(race: Race, pilot: Contestant) -> list[dict]:
        rows = [row(pilot, epoch, pilot_error) for epoch in range(1, 5)]
        return [*rows, {"run": pilot.run, "epoch": 5, "reason": "val_loss is nan"}]

    listed = Listed(num_pilots=1)
    race = Race(listed, [9], (1, 3, 9), 3, singly)
    heats = [race.next_heat() for _ in range(9)]
    pilot, others = heats[0], heats[1:]
    assert pilot
    rows = diverges(race, pilot.contestants[0])
    for one in rows if is_known else rows[:1]:
        race.standings.take(one)
    for heat in others:
        assert heat
        finish(race, heat, {number: number / 10 for number in range(2, 10)})
    first = race.next_heat()
    for one in rows:
        race.standings.take(one)
    race.close(pilot)
    following = [first, *iter(race.next_heat, None)]
    promoted = [heat.contestants[0].number for heat in following if heat]
    assert promoted == ([2, 3] if pilot_error < 0.1 else [2, 3, 4])


def test_the_rungs_that_a_pilot_passes() -> None:
    race = Race(Listed(num_pilots=1), [3], (1, 3, 9), 3, singly)
    pilot, second = race.next_heat(), race.next_heat()
    assert pilot
    assert second
    assert [epoch for epoch in range(1, 10) if race.is_past_a_rung(pilot, epoch)] == [1, 3]
    assert not race.is_past_a_rung(second, 1)


def test_with_one_rung_nobody_is_a_pilot() -> None:
    race = Race(Listed(num_pilots=1), [3], (2,), 3, together)
    assert [len(heat.contestants) for heat in run(race, lambda number, _: number / 10)] == [3]


def test_leagues_race_for_themselves() -> None:
    class Sources(Listed):
        def _point(self, index: int) -> Point:
            return Point("abc"[index % 3], 2, 0.01, 0.0, is_scratch=False)

    race = Race(Sources(), [9], (1, 3), 3, singly, league=lambda point: point.source)
    run(race, lambda number, _: number / 10)  # trials 1 to 3, one of each source, are the best of their leagues
    assert {one.number for one in race.contestants if max(race.standings.curves[one.run]) == 3} == {1, 2, 3}
    race = Race(Sources(), [9], (1, 3), 3, singly, league=lambda point: point.source)
    run(race, lambda number, _: (number - 1) % 3 + number / 10)  # source a is the best, c the worst: none drops out
    assert {one.number for one in race.contestants if max(race.standings.curves[one.run]) == 3} == {1, 2, 3}


def test_a_later_generation_competes_with_those_before() -> None:
    race = Race(Listed(), [3, 3], (1, 3), 3, singly)
    run(race, lambda number, _: number / 10)  # the first generation is the better one
    full = {one.number for one in race.contestants if max(race.standings.curves[one.run]) == 3}
    assert full == {
        1
    }  # ceil(6 / 3) = 2 may be at the top, 1 and 2, but 2 was stopped: no trial of 4 to 6 is among them


def test_ties_go_to_the_lower_loss_then_to_the_earlier_trial() -> None:
    race = Race(Listed(), [3], (1, 2), 3, singly)
    losses = {1: 0.3, 2: 0.2, 3: 0.2}
    while heat := race.next_heat():
        for one in heat.contestants:
            race.standings.take({"run": one.run, "epoch": heat.until, "val_error": 0.5, "val_loss": losses[one.number]})
        race.close(heat)
    assert [one.number for one in race.contestants if 2 in race.standings.curves[one.run]] == [2]


def test_nothing_is_decided_before_all_are_there() -> None:
    race = Race(Listed(), [2], (1, 3), 2, singly)
    first, second = race.next_heat(), race.next_heat()
    assert first
    assert second
    assert race.next_heat() is None
    race.standings.take(row(first.contestants[0], 1, 0.1))
    race.close(first)
    assert race.next_heat() is None
    assert not race.is_over
    race.standings.take(row(second.contestants[0], 1, 0.2))
    race.close(second)
    following = race.next_heat()
    assert following
    assert (following.contestants, following.until) == (first.contestants, 3)


@given(st.integers(0, 12), st.integers(0, 2), st.data())
@settings(max_examples=30, deadline=None)
def test_an_interrupted_race_ends_like_an_undisturbed_one(stop_after: int, pilots: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 5), min_size=40, max_size=40))

    def error(number: int, epoch: int) -> float:
        return values[(number * 7 + epoch) % 40] / 5

    def race(known=()) -> Race:
        return Race(Listed(2, pilots), [4, 3], (1, 3, 6), 2, singly, known, replays=True)

    whole, broken = race(), race()
    heats = run(whole, error)
    done = run(broken, error, stop_after)
    known = [one for heat in done for member in heat.contestants for one in _rows(broken, heat, member)]
    again = race(known)
    rest = run(again, error)
    assert again.standings.curves == whole.standings.curves
    assert again.is_over
    assert [heat.name for heat in done + rest] == [heat.name for heat in heats]


def _rows(race: Race, heat: Heat, member: Contestant) -> list[dict]:
    if heat.is_replay:
        return [race.replay] if race.replay else []
    return [row for epoch, row in race.standings.curves[member.run].items() if epoch <= heat.until]


def test_the_best_trial_is_replayed_at_the_end() -> None:
    race = Race(Listed(), [3], (2,), 3, singly, replays=True)
    heats = run(race, lambda number, _: abs(number - 2) / 10)
    assert [(heat.is_replay, heat.contestants[0].number) for heat in heats] == [
        (False, 1),
        (False, 2),
        (False, 3),
        (True, 2),
    ]
    assert race.replay
    assert race.replay["epoch"] == 2
    assert all(not one.get("is_replay") for curve in race.standings.curves.values() for one in curve.values())


def finish(race: Race, heat: Heat, error) -> None:
    for one in heat.contestants:
        for epoch in range(1, heat.until + 1):
            race.standings.take({**row(one, epoch, error[one.number]), "is_replay": heat.is_replay})
    race.close(heat)


def ahead_race(errors: dict[int, float]) -> tuple[Race, Heat, Heat]:
    """Two trials; the first one has ended, the second one is running, and the replay of the first has begun."""
    race = Race(Listed(), [2], (2,), 3, singly, replays=True, replays_ahead=True)
    first, second = race.next_heat(), race.next_heat()
    assert first
    assert second
    assert race.next_heat() is None  # nobody is ahead yet
    finish(race, first, errors)
    early = race.next_heat()
    assert early == Heat(first.contestants, 2, is_replay=True)
    assert race.next_heat() is None  # one at a time
    return race, second, early


@pytest.mark.parametrize("is_done_first", [True, False])
def test_a_replay_ahead_counts_if_its_trial_wins(is_done_first: bool) -> None:
    errors = {1: 0.1, 2: 0.2}
    race, second, early = ahead_race(errors)
    for heat in (early, second) if is_done_first else (second, early):
        assert race.wants(heat)
        assert not race.is_over
        finish(race, heat, errors)
        assert race.next_heat() is None
    assert race.is_over
    assert race.replay
    assert race.replay["run"] == early.contestants[0].run


def test_a_replay_ahead_is_not_wanted_where_another_trial_wins() -> None:
    errors = {1: 0.2, 2: 0.1}
    race, second, early = ahead_race(errors)
    finish(race, second, errors)
    assert race.next_heat() == Heat(second.contestants, 2, is_replay=True)
    assert not race.wants(early)
    race.close(early)
    assert not race.is_over
    finish(race, Heat(second.contestants, 2, is_replay=True), errors)
    assert race.next_heat() is None
    assert race.is_over
    assert race.replay
    assert race.replay["run"] == second.contestants[0].run


def test_a_replay_ahead_that_is_lost_is_made_when_it_is_due() -> None:
    errors = {1: 0.1, 2: 0.2}
    race, second, early = ahead_race(errors)
    race.put_back(early)
    assert race.next_heat() == early  # a lane is free again
    race.fail(early, "no memory")
    assert not race.standings.reason(early.contestants[0].run)
    finish(race, second, errors)
    assert race.next_heat() == early
    assert race.wants(early)


def test_a_lost_heat_is_due_again_and_one_that_fails_is_halved() -> None:
    race = Race(Listed(), [4], (1,), 3, together)
    heat = race.next_heat()
    assert heat
    race.put_back(heat)
    assert race.next_heat() == heat
    race.fail(heat, "no memory")
    halves = [race.next_heat(), race.next_heat()]
    assert [[one.number for one in half.contestants] for half in halves if half] == [[1, 2], [3, 4]]
    race.fail(halves[0], "no memory")
    run_one, run_two = race.next_heat(), race.next_heat()
    race.fail(run_one, "no memory")
    for done in (run_two, halves[1]):
        for one in done.contestants:
            race.standings.take(row(one, 1, 0.5))
        race.close(done)
    assert race.next_heat() is None
    assert race.is_over
    assert [race.standings.reason(one.run) for one in race.contestants] == ["no memory", None, None, None]


def test_optuna_is_told_what_became_of_each() -> None:
    proposals = Listed()
    race = Race(proposals, [3], (1, 3), 3, singly)
    while heat := race.next_heat():
        for one in heat.contestants:
            if one.number == 3:
                race.standings.take({"run": one.run, "epoch": 1, "val_error": 1.0, "reason": "val_loss is nan"})
            for epoch in range(1, heat.until + 1) if one.number < 3 else ():
                race.standings.take(row(one, epoch, one.number / 10))
        race.close(heat)
    assert proposals.told == [[Fate([0.1, 0.1, 0.1], True), Fate([0.2], False), Fate([], False)]]


def test_a_replay_of_another_trial_does_not_count() -> None:
    race = Race(Listed(), [2], (1,), 3, singly, replays=True)
    race.standings.take({"run": "another", "epoch": 1, "val_error": 0.1, "val_loss": 0.1, "is_replay": True})
    heats = run(race, lambda number, _: number / 10)
    assert heats[-1].is_replay


def test_a_name_belongs_to_one_configuration() -> None:
    points = [Point("a", 2, lr, decay, is_scratch=False) for lr in (0.01, 0.0100001) for decay in (0.0, 1e-4)]
    assert len({Contestant(1, point).run for point in points}) == 4
