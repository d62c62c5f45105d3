"""The runs of a study on a server in memory: told once, whatever is interrupted, lost or told again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow_fake import FakeMlflow

from translearn.cluster.mlflow_runs import Experiment
from translearn.cluster.run_report import RunReport, Step

pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")


def steps(*numbers: int) -> list[Step]:
    return [Step(number, {"val_error": number / 10, "lr": 0.1}, at=1.5) for number in numbers]


def report(*numbers: int, status: str | None = None, name: str = "a") -> RunReport:
    return RunReport("search", name, {"lr": 0.1, "source": "glyphs"}, steps(*numbers), status)


def experiment(server: FakeMlflow, study: str = "one") -> Experiment:
    return Experiment(lambda: server, "pets", study)


def test_a_run_is_begun_told_and_ended() -> None:
    server = FakeMlflow()
    told = experiment(server)
    for epoch in (1, 2):
        told.take(report(epoch))
    assert server.statuses() == {"a": "RUNNING"}
    told.take(RunReport("search", "a", {}, steps(1, 2), "failed", {"reason": "it diverged"}))
    (run,) = server.runs.values()
    assert server.statuses() == {"a": "FAILED"}
    assert run.data.params == {"lr": "0.1", "source": "glyphs"}
    assert run.data.tags == {
        "translearn.study": "one",
        "translearn.training.step": "search/a",
        "translearn.stage": "search",
        "translearn.ended": "failed 2",
        "reason": "it diverged",
    }
    assert server.steps("a") == server.steps("a", "lr") == [1, 2]


@pytest.mark.parametrize(("status", "shown"), [("done", "FINISHED"), ("stopped", "KILLED"), ("failed", "FAILED")])
def test_a_status_is_mlflows(status: str, shown: str) -> None:
    server = FakeMlflow()
    experiment(server).take(report(1, status=status))
    assert server.statuses() == {"a": shown}


def test_a_study_that_goes_on_finds_its_runs_and_repeats_nothing() -> None:
    server = FakeMlflow()
    experiment(server).take(report(1))
    told = experiment(server)
    told.take(report(1))
    told.take(report(2))
    told.take(report(1, 2, 3, status="done"))
    assert len(server.runs) == 1
    assert server.steps("a") == [1, 2, 3]


def test_a_run_that_is_complete_costs_no_request() -> None:
    server = FakeMlflow()
    experiment(server).take(report(1, 2, status="done"))
    told = experiment(server)
    told.take(report(1, 2, status="done"))
    assert server.calls[-2:] == ["get_experiment", "search_runs"]


def test_another_study_of_the_same_name_has_runs_of_its_own() -> None:
    server = FakeMlflow()
    experiment(server).take(report(1))
    experiment(server, "two").take(report(1))
    assert len(server.runs) == 2
    assert len(server.experiments) == 1


def test_runs_of_two_stages_may_share_a_name() -> None:
    server = FakeMlflow()
    told = experiment(server)
    told.take(RunReport("pretrain", "glyphs"))
    told.take(RunReport("refit", "glyphs"))
    assert len(server.runs) == 2


def test_an_interrupted_run_is_killed_and_runs_again_when_there_is_news() -> None:
    server = FakeMlflow()
    told = experiment(server)
    told.take(report(1))
    told.take(report(1, status="done", name="b"))
    told.kill()
    assert server.statuses() == {"a": "KILLED", "b": "FINISHED"}
    again = experiment(server)
    again.take(report(1))
    assert server.statuses()["a"] == "KILLED"
    again.take(report(2))
    assert server.statuses()["a"] == "RUNNING"


def test_with_nothing_begun_there_is_nobody_to_kill_or_to_ask() -> None:
    server = FakeMlflow()
    experiment(server).kill()
    assert server.calls == []


def test_many_epochs_are_sent_in_parts_of_what_mlflow_takes() -> None:
    server = FakeMlflow()
    experiment(server).take(report(*range(1, 121), status="done"))
    assert server.steps("a") == list(range(1, 121))
    assert server.calls.count("log_batch") == 1 + 3 + 1  # parameters, 120 epochs, tags


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_whatever_is_lost_on_the_way_everything_arrives_once(faults: list[tuple[int, int, bool]]) -> None:
    """Each call fails some times before, and some times after it had its effect; some commands begin anew."""
    server = FakeMlflow()
    told = experiment(server)
    last = len(faults)
    for epoch, (before, after, is_new_command) in enumerate(faults, 1):
        told = experiment(server) if is_new_command else told
        server.failing, server.failing_after = before, after
        repeat(told, report(epoch))
    repeat(told, report(*range(1, last + 1), status="done"))
    assert server.steps("a") == list(range(1, last + 1))
    assert server.statuses() == {"a": "FINISHED"}


def repeat(told: Experiment, one: RunReport) -> None:
    for _ in range(20):
        try:
            return told.take(one)
        except ConnectionError:
            continue
    raise AssertionError("it never arrived")
