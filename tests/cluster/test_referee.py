"""The referee without Ray: Tune's calls go in, what the desk is told and what is written down come out."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.result import DONE

from translearn.cluster.referee import Referee, known_rows
from translearn.contest import Contestant, Fate, Heat, Point, Row
from translearn.errors import TranslearnError
from translearn.race import Race
from translearn.storage.folder import Folder


class Numbered:
    """Points that differ by source alone."""

    num_pilots = 0

    def draw(self, num: int) -> list[Point]:
        return [Point(f"s{index}", 0, 0.01, 0.0, False) for index in range(num)]

    def tell(self, fates: Sequence[Fate]) -> None:
        pass


class FakeDesk:
    """Writes down what it is told, in order."""

    def __init__(self) -> None:
        self.assigned: list[tuple[int, Any]] = []
        self.cleared: list[int] = []
        self.dropped: list[str] = []
        self.assign = SimpleNamespace(
            remote=lambda lane, heat: self.assigned.append((lane, heat and pickle.loads(heat)))
        )
        self.clear = SimpleNamespace(remote=self.cleared.append)
        self.drop = SimpleNamespace(remote=self.dropped.extend)
        self.abandoned: list[int] = []
        self.abandon = SimpleNamespace(remote=self.abandoned.append)

    def last(self) -> dict[int, Any]:
        """The last thing that each lane was given."""
        return dict(self.assigned)


def singly(contestants: Sequence[Contestant]) -> list[tuple[Contestant, ...]]:
    return [(one,) for one in contestants]


def all_together(contestants: Sequence[Contestant]) -> list[tuple[Contestant, ...]]:
    return [tuple(contestants)]


def row(contestant: Contestant, epoch: int) -> dict[str, Any]:
    error = contestant.number / 10
    return {"run": contestant.run, "epoch": epoch, "val_error": error, "val_loss": error, "is_replay": False}


class Table:
    """A referee and what is around it."""

    def __init__(self, folder: Folder, trials: int, rungs: Sequence[int] = (2,), group: Any = singly, **race: Any):
        self.desk, self.told, self.folder = FakeDesk(), [], folder
        self.race = Race(Numbered(), [trials], rungs, 2, group, known_rows(folder), **race)
        self.referee = Referee(self.race, self.desk, folder, self._take)

    def _take(self, row: Row, point: Point) -> None:
        assert (row["run"], point) in [(one.run, one.point) for one in self.race.contestants]
        self.told.append(row)

    def starts(self, *lanes: int) -> None:
        for lane in lanes:
            self.referee.on_trial_start(1, [], lane_of(lane))

    def dies(self, lane: int) -> None:
        self.referee.on_trial_recover(1, [], lane_of(lane))
        self.starts(lane)

    def says(self, lane: int, **result: Any) -> None:
        self.referee.on_trial_result(1, [], lane_of(lane), result)

    def finishes(self, lane: int, **changes: Any) -> Heat:
        """A lane does the heat that it was given last, epoch by epoch."""
        heat = self.desk.last()[lane]
        for epoch in range(1, heat.until + 1):
            rows = [{**row(one, epoch), "is_replay": heat.is_replay, **changes} for one in heat.contestants]
            self.says(lane, rows=rows, is_over=False)
        self.says(lane, rows=[], is_over=True)
        return heat


def lane_of(number: int) -> Any:
    return SimpleNamespace(config={"lane": number})


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder.open(tmp_path)


def runs(heat: Heat) -> list[int]:
    return [one.number for one in heat.contestants]


def test_free_lanes_get_heats_in_order_and_one_each(folder):
    table = Table(folder, trials=3)
    table.starts(1, 0)
    assert [(lane, runs(heat)) for lane, heat in table.desk.assigned] == [(1, [1]), (0, [2])]
    table.finishes(0)
    assert [(lane, runs(heat)) for lane, heat in table.desk.assigned[2:]] == [(0, [3])]


def test_a_lane_that_waits_for_a_pilot_goes_on_as_soon_as_the_pilot_is_where_it_is(folder, monkeypatch):
    monkeypatch.setattr(Numbered, "num_pilots", 1)
    table = Table(folder, trials=4, rungs=(1, 3))
    table.starts(0, 1)
    for _ in range(3):
        table.finishes(1)
    assert [(lane, runs(heat), heat.until) for lane, heat in table.desk.assigned] == [
        (0, [1], 3),
        (1, [2], 1),
        (1, [3], 1),
        (1, [4], 1),
    ]
    pilot = table.desk.last()[0].contestants[0]
    table.says(0, rows=[row(pilot, 1)], is_over=False)
    assert [(lane, runs(heat), heat.until) for lane, heat in table.desk.assigned[4:]] == [(1, [2], 3)]
    # What the others were compared with is written down, though the pilot goes on.
    assert [one["epoch"] for one in known_rows(folder) if one["run"] == pilot.run] == [1]


def test_lanes_wait_at_a_rung_and_are_sent_home_when_the_race_is_over(folder):
    table = Table(folder, trials=2, rungs=(1, 2))
    table.starts(0, 1)
    table.finishes(0)
    assert len(table.desk.assigned) == 2  # the rung needs the other one
    table.finishes(1)
    assert [(lane, runs(heat), heat.until) for lane, heat in table.desk.assigned[2:]] == [(0, [1], 2)]
    table.finishes(0)
    assert table.race.is_over
    assert table.desk.last() == {0: None, 1: None}
    table.says(0, **{DONE: True})
    assert table.desk.assigned[5:] == []


def test_states_are_dropped_as_soon_as_their_trials_do_not_go_on(folder):
    table = Table(folder, trials=4, rungs=(1, 2, 3), replays=True)
    table.starts(0)
    names = [one.run for one in table.race.contestants]
    dropped = []
    while table.desk.last()[0] is not None:
        heat = table.finishes(0)
        dropped.append((runs(heat), heat.until, sorted(table.desk.dropped)))
    # A loser's state goes when its rung is decided, that of the winner before the replay, which needs none.
    assert dropped == [
        *[([number], 1, []) for number in (1, 2, 3)],
        ([4], 1, names[2:]),
        ([1], 2, names[2:]),
        ([2], 2, names[1:]),
        ([1], 3, names),
        ([1], 3, names),
    ]


def test_each_epoch_is_told_once_also_where_a_heat_is_done_twice(folder):
    table = Table(folder, trials=1)
    table.starts(0)
    [contestant] = table.race.contestants
    table.says(0, rows=[row(contestant, 1)], is_over=False)
    table.dies(0)
    table.finishes(0)
    assert [told["epoch"] for told in table.told] == [1, 2]


def test_a_heat_of_a_lost_lane_goes_to_another_one_that_is_free(folder):
    table = Table(folder, trials=2)
    table.starts(0, 1)
    lost = table.desk.last()[0]
    table.finishes(1)
    table.referee.on_trial_recover(1, [], lane_of(0))
    assert table.desk.cleared == [0]
    assert table.desk.assigned[2:] == [(1, lost)]
    table.starts(0)
    assert len(table.desk.assigned) == 3
    table.finishes(1)
    assert table.race.is_over
    assert table.race.standings.reason(lost.contestants[0].run) is None


def test_a_lane_that_is_lost_while_it_has_nothing_to_do_costs_nothing(folder):
    table = Table(folder, trials=1)
    table.starts(0, 1)
    table.dies(1)
    table.finishes(0)
    assert table.desk.cleared == [1]
    assert table.race.is_over


def test_a_heat_that_was_lost_three_times_is_tried_in_halves_and_then_fails(folder):
    table = Table(folder, trials=2, group=all_together)
    table.starts(0)
    for _ in range(3):
        assert runs(table.desk.last()[0]) == [1, 2]
        table.dies(0)
    for _ in range(3):
        assert runs(table.desk.last()[0]) == [1]
        table.dies(0)
    assert runs(table.finishes(0)) == [2]
    reasons = [table.race.standings.reason(one.run) for one in table.race.contestants]
    assert reasons == ["its worker died 3 times, perhaps for want of memory", None]
    assert table.race.is_over


def test_a_heat_that_raises_ends_with_its_reason_and_the_lane_goes_on(folder):
    table = Table(folder, trials=2)
    table.starts(0)
    table.says(0, reason="ValueError: no", trace="...")
    assert runs(table.finishes(0)) == [2]
    assert [table.race.standings.reason(one.run) for one in table.race.contestants] == ["ValueError: no", None]


def test_a_fault_of_the_system_ends_the_search_with_its_message(folder):
    table = Table(folder, trials=2)
    table.starts(0)
    with pytest.raises(TranslearnError, match=r"^search: OSError: disk full$"):
        table.says(0, fault="OSError: disk full")
    assert str(table.referee.fault) == "search: OSError: disk full"


def test_lanes_that_never_come_to_a_heat_are_not_started_for_ever(folder):
    table = Table(folder, trials=1)
    table.starts(0)
    for _ in range(9):
        table.referee.on_trial_recover(1, [], lane_of(1))
    with pytest.raises(TranslearnError, match=r"died 10 times before they had anything to do\. See Ray's logs\.$"):
        table.referee.on_trial_recover(1, [], lane_of(1))


def test_heats_that_ended_are_written_down_and_not_run_again(folder):
    first = Table(folder, trials=3)
    first.starts(0, 1)
    done = first.finishes(1)
    first.says(0, rows=[row(first.race.contestants[0], 1)], is_over=False)  # cut off in the middle
    assert known_rows(folder) == [row(one, epoch) for one in done.contestants for epoch in (1, 2)]
    again = Table(folder, trials=3)
    again.starts(0)
    assert [runs(again.finishes(0)) for _ in range(2)] == [[1], [3]]
    assert again.race.is_over
    assert {told["run"] for told in again.told} == {one.run for one in again.race.contestants if one.number != 2}
    assert known_rows(folder) != []


def test_the_replay_is_written_down_apart_from_the_trial(folder):
    first = Table(folder, trials=1, replays=True)
    first.starts(0)
    first.finishes(0, weights="searched")
    assert first.finishes(0, weights="replayed").is_replay
    again = Table(folder, trials=1, replays=True)
    again.starts(0)
    assert again.desk.assigned == [(0, None)]
    assert again.race.replay["weights"] == "replayed"
    assert again.race.standings.last(again.race.contestants[0].run)["weights"] == "searched"


def test_a_trial_that_failed_is_not_tried_again_by_the_next_command(folder):
    first = Table(folder, trials=1)
    first.starts(0)
    for _ in range(3):
        first.dies(0)
    (failed,) = first.race.contestants
    again = Table(folder, trials=1)
    again.starts(0)
    assert again.desk.assigned == [(0, None)]
    assert again.race.standings.reason(failed.run) == "its worker died 3 times, perhaps for want of memory"


def test_a_search_that_has_not_begun_knows_nothing(folder):
    assert known_rows(folder) == []


def test_what_tune_pickles_of_it_is_nothing(folder):
    assert Table(folder, trials=1).referee.__getstate__() == {}


def test_a_replay_ahead_is_abandoned_where_another_trial_wins_and_leaves_nothing(folder: Folder) -> None:
    table = Table(folder, 2, replays=True, replays_ahead=True)
    table.starts(0, 1)
    table.finishes(1)  # trial 2 is ahead, as the only one that ended
    early = table.desk.last()[1]
    assert (runs(early), early.is_replay) == ([2], True)
    table.finishes(0)
    assert table.desk.abandoned == [1]
    assert (runs(table.desk.last()[0]), table.desk.last()[0].is_replay) == ([1], True)
    table.says(1, rows=[], is_over=True)
    assert not folder.exists(f"heats/{early.name}.json")
    table.finishes(0)
    assert table.race.is_over
    assert table.desk.last() == {0: None, 1: None}
