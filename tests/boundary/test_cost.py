"""The plan against arithmetic done by hand: one image a second a stage makes the sums easy."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from translearn.boundary.cost import Decision, Demand, Model, Place, decide
from translearn.boundary.measure import Chain, Rate

#: Three stages of 1, 2 and 3 seconds an image; boundaries of 100, 50 and 10 bytes.
CHAIN = Chain(0.5, (1.0, 2.0, 3.0), (100, 50, 10))
FAST: dict[Place, Rate] = {"memory": Rate(read=1000, write=1000), "disk": Rate(read=100, write=100)}


def model(
    depths: tuple[int, ...],
    num_reads: int,
    room: tuple[int, int] = (10**6, 10**6),
    kept: Mapping[int, Place] | None = None,
    rates: Mapping[Place, Rate] | None = None,
    num_rows: int = 10,
) -> Model:
    demand = Demand(depths, 10, num_rows, num_reads)
    return Model(CHAIN, rates or FAST, demand, {"memory": room[0], "disk": room[1]}, kept or {})


def places(decisions: tuple[Decision, ...]) -> dict[int, str]:
    return {one.depth: one.place for one in decisions}


def test_seconds_are_those_of_the_stages_in_between_the_reads_and_the_filling() -> None:
    one = model((0, 1, 3), num_reads=4)
    assert one.seconds({}) == pytest.approx(10 * 4 * (0.5 + 1 + 2 + 3))
    # Depth 1 is read, 3 starts from it; depth 0 is still made. Filling: the chain to depth 1, and writing.
    assert one.seconds({1: "memory"}) == pytest.approx(10 * 4 * (0.5 + 0.1 + 2 + 3) + 10 * (0.5 + 1 + 0.1))
    assert one.seconds({1: "memory", 3: "disk"}) == pytest.approx(
        10 * 4 * (0.5 + 0.1 + 0.1) + 10 * (0.5 + 6 + 0.1 + 0.1)
    )


def test_what_is_kept_already_costs_no_filling_and_no_room() -> None:
    one = model((3,), num_reads=1, room=(0, 0), kept={3: "disk"})
    assert one.seconds({3: "disk"}) == pytest.approx(10 * 0.1)
    assert places(decide(one)) == {3: "disk"}
    assert places(decide(model((3,), num_reads=1, room=(0, 0)))) == {3: "recompute"}


def test_one_read_never_pays_and_many_do() -> None:
    assert places(decide(model((1, 2, 3), num_reads=1))) == dict.fromkeys((1, 2, 3), "recompute")
    assert places(decide(model((1, 2, 3), num_reads=50))) == dict.fromkeys((1, 2, 3), "memory")


def test_the_room_goes_to_what_saves_most() -> None:
    # 100 bytes in memory hold depth 3 (10 x 10); depth 2 (500 bytes) goes to the disk, depth 1 (1,000) nowhere.
    decisions = decide(model((1, 2, 3), num_reads=50, room=(100, 500)))
    assert places(decisions) == {1: "recompute", 2: "disk", 3: "memory"}
    assert [one.bytes for one in decisions] == [0, 500, 100]
    assert decisions[0].reason == "1 kB do not fit: 0 kB of memory and 0 kB of disk are left"


def test_a_slow_disk_is_not_used() -> None:
    slow: dict[Place, Rate] = {"memory": FAST["memory"], "disk": Rate(read=5, write=5)}
    decisions = decide(model((1,), num_reads=50, room=(0, 10**6), rates=slow))
    assert decisions == (Decision(1, "recompute", 0, 0.0, "storing it would save -9465.0 of 750.0 s, too little"),)


def test_a_decision_says_what_it_saves() -> None:
    decisions = decide(model((3,), num_reads=50))
    saves_s = 10 * 50 * (6.5 - 0.01) - 10 * (6.5 + 0.01)
    assert decisions[0].saves_s == pytest.approx(saves_s)
    assert decisions[0].reason == f"50 reads of 0 kB save {saves_s:.1f} of 3250.0 s"


def test_views_take_room_and_filling_for_each() -> None:
    assert decide(model((3,), num_reads=50, num_rows=30))[0].bytes == 300
    assert places(decide(model((3,), num_reads=3, num_rows=30))) == {3: "recompute"}
    assert places(decide(model((3,), num_reads=50, num_rows=30, room=(299, 0)))) == {3: "recompute"}


def test_two_percent_of_the_whole_is_the_least_that_is_worth_it() -> None:
    rate = Rate(read=100 / 1.49, write=1e9)  # reading depth 1 takes 1.49 s an image instead of 1.5
    rates: dict[Place, Rate] = {"memory": rate, "disk": rate}
    assert places(decide(model((1,), num_reads=10**6, rates=rates))) == {1: "recompute"}
