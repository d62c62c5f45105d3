"""A job's log is shown once and whole, whatever happens to the connection; its end is the command's exit code."""

from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_cases import PlayedClient, Screen

from translearn.cluster.jobs.follow import WAITS_S, ConnectionLostError, Ended

LOST = RuntimeError("WebSocket connection closed unexpectedly with close code 1006")


def test_a_log_and_a_good_end() -> None:
    screen = Screen()
    ended = screen.follower(PlayedClient([["a\n", "b\n{}\n"]])).follow()
    assert ended == Ended(0, "", "{}")
    assert (screen.shown, screen.told, screen.slept) == ("a\nb\n{}\n", [], [])


@pytest.mark.parametrize(
    ("status", "driver", "code"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", 3, 1),
        ("FAILED", -9, 1),
        ("FAILED", None, 1),
        ("STOPPED", None, 1),
        ("STOPPED", 0, 1),
    ],
)
def test_how_a_job_ends_is_the_exit_code(status: str, driver: int | None, code: int) -> None:
    ended = Screen().follower(PlayedClient([["x\n"]], status, driver, "why")).follow()
    assert ended == Ended(code, "why", "x")


@pytest.mark.parametrize(
    "error", [LOST, ConnectionResetError("reset"), aiohttp.ClientError("gone"), TimeoutError()], ids=type
)
def test_a_lost_connection_is_made_again_and_nothing_is_shown_twice(error: Exception) -> None:
    screen = Screen()
    client = PlayedClient([["one\ntw", error], [error], ["one\n", "two\nthr", error], ["one\ntwo\nthree\n"]])
    assert screen.follower(client).follow().last_line == "three"
    assert screen.shown == "one\ntwo\nthree\n"
    assert screen.slept == [1.0, 2.0, 1.0]  # what was new resets the waits
    assert screen.told[0] == f"the connection was lost ({error}); the job goes on. Next attempt in 1 s."


@given(st.text(max_size=60), st.lists(st.integers(1, 60), max_size=5), st.integers(1, 7))
def test_wherever_it_breaks_the_whole_log_is_shown_once(log: str, breaks: list[int], size: int) -> None:
    def chunks(text: str) -> list[str]:
        return [text[start : start + size] for start in range(0, len(text), size)]

    screen = Screen()
    connections: list[list[str | BaseException]] = [[*chunks(log[:place]), LOST] for place in breaks]
    screen.follower(PlayedClient([*connections, [*chunks(log)]]), waits_s=(1.0,) * 9).follow()
    assert screen.shown == log


def test_a_connection_that_ends_while_the_job_runs_is_made_again() -> None:
    screen = Screen()
    screen.follower(PlayedClient([["a"], ["a", "b"]])).follow()
    assert (screen.shown, screen.slept) == ("ab", [1.0])


def test_a_cluster_that_stays_away_is_given_up() -> None:
    screen = Screen()
    with pytest.raises(ConnectionLostError, match=r"^the connection was lost \(WebSocket"):
        screen.follower(PlayedClient([["a", LOST], [LOST], [LOST]])).follow()
    assert screen.slept == [1.0, 2.0]
    assert 180 < sum(WAITS_S) < 300


def test_after_an_interruption_the_same_follower_goes_on() -> None:
    screen = Screen()
    follower = screen.follower(PlayedClient([["a", KeyboardInterrupt()], ["a", "b"]]))
    with pytest.raises(KeyboardInterrupt):
        follower.follow()
    assert follower.follow().code == 0
    assert screen.shown == "ab"
