"""Watching a job: Ctrl-C leaves it or stops it, a lost connection says how to come back."""

from __future__ import annotations

import io
import sys
from functools import partial

import pytest
from job_cases import PlayedClient, Screen

from translearn.cluster.jobs.watch import Watched, _ask, watch
from translearn.errors import InputError, TranslearnError

WHERE = "http://127.0.0.1:1"
AGAIN = f"Job job goes on. Watch it again: translearn submit --attach job --address {WHERE}"


def watched(client: PlayedClient, stop: bool = False) -> Watched:
    screen = Screen()

    def follower(client, job_id, show, tell):
        return screen.follower(client, job_id)

    return watch("job", WHERE, client, lambda: stop, follower)


def test_a_job_that_ends() -> None:
    assert watched(PlayedClient([['{"command": 1}\n']])) == Watched("job", 0, "done", "", '{"command": 1}')
    assert watched(PlayedClient([["x"]], "FAILED", 2, "bad")) == Watched("job", 2, "bad input", "bad", "x")
    assert watched(PlayedClient([["x"]], "FAILED", 1)) == Watched("job", 1, "failed", "", "x")


def test_ctrl_c_leaves_the_job_running() -> None:
    client = PlayedClient([["a", KeyboardInterrupt()]])
    assert watched(client) == Watched("job", 1, "detached", AGAIN)
    assert client.stopped == []


def test_ctrl_c_stops_the_job_and_shows_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    client = PlayedClient([["a", KeyboardInterrupt()], ["a", "end"]], "STOPPED", None, "stopped by the user")
    assert watched(client, stop=True) == Watched("job", 1, "failed", "stopped by the user", "aend")
    assert client.stopped == ["job"]
    assert capsys.readouterr().err == "stopping job job\n"


def test_a_connection_that_stays_lost() -> None:
    result = watched(PlayedClient([[OSError("no route")]] * 3))
    assert result == Watched("job", 1, "lost", f"the connection was lost (no route). {AGAIN}")


def raising(error: Exception, *_: object) -> None:
    raise error


def test_a_job_that_is_unknown_and_a_cluster_that_is_away() -> None:
    client = PlayedClient([])
    client.get_job_info = partial(raising, RuntimeError("404"))
    with pytest.raises(InputError) as unknown:
        watched(client)
    assert str(unknown.value) == (
        f"--attach: must be a job of {WHERE}, but got 'job'. `ray job list --address {WHERE}` lists them."
    )
    client.get_job_info = partial(raising, ConnectionRefusedError("refused"))
    with pytest.raises(TranslearnError) as away:
        watched(client)
    assert str(away.value) == f"{WHERE}: does not answer (refused). {AGAIN}"


def test_a_job_that_can_not_be_stopped() -> None:
    client = PlayedClient([[KeyboardInterrupt()]])
    client.stop_job = partial(raising, ConnectionResetError("reset"))
    with pytest.raises(TranslearnError) as caught:
        watched(client, stop=True)
    assert str(caught.value) == f"job job: could not be stopped (reset). Try `ray job stop --address {WHERE} job`."


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "stops"), [("\n", False), ("s\n", True), ("STOP\n", True), ("d\n", False), ("", False)]
)
def test_what_is_typed_at_the_question(typed: str, stops: bool, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert _ask() is stops
    assert "leave the job running and detach (Enter), or stop it (s)?" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("s\n"))
    assert not _ask()
    assert capsys.readouterr().err == ""
