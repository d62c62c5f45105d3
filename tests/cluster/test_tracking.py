"""Telling a server while a block runs: nothing of its failures reaches the block."""

from __future__ import annotations

import pytest
from mlflow_fake import FakeMlflow

from translearn.cluster import tracking as module
from translearn.cluster.outbox import Outbox
from translearn.cluster.run_report import RunReport, Step
from translearn.cluster.tracking.tracking import tell, tracking

pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")

ADDRESS = "http://127.0.0.1:1"
ONE = RunReport("search", "a", {}, [Step(1, {"val_error": 0.5}, 0.0)])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    made = FakeMlflow()
    monkeypatch.setattr(module, "connect", lambda address: made)
    return made


def test_what_is_told_in_the_block_arrives_and_nothing_afterwards(server: FakeMlflow) -> None:
    with tracking(ADDRESS, "pets", "one"):
        tell(ADDRESS, ONE)
    tell(ADDRESS, ONE)
    assert server.steps("a") == [1]
    assert server.statuses() == {"a": "RUNNING"}


def test_a_study_without_a_server_tells_nobody_even_inside_of_one_with(server: FakeMlflow) -> None:
    with tracking(ADDRESS, "pets", "one"):
        tell(None, ONE)
    assert server.runs == {}


def test_an_interrupted_block_leaves_no_run_that_seems_to_go_on(server: FakeMlflow) -> None:
    def work() -> None:
        with tracking(ADDRESS, "pets", "one"):
            tell(ADDRESS, ONE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert server.statuses() == {"a": "KILLED"}


def test_a_server_that_fails_for_good_is_one_warning(
    server: FakeMlflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "Outbox", lambda warn: Outbox(warn, patience_s=0, pause_s=0))
    server.failing = 1000
    with tracking(ADDRESS, "pets", "one"):
        for _ in range(5):
            tell(ADDRESS, ONE)
    assert capsys.readouterr().out.splitlines() == [
        f"MLflow: experiment pets at {ADDRESS}",
        "warning: MLflow: it was tried for 0 s (nobody there). Nothing more is sent; the study goes on. Its next "
        "command sends the rest.",
    ]
