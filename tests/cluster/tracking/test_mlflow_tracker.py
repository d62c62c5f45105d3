"""MLflow's own library: one run for each run of a study, also where the study was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracker_cases import job, row, spec_with

from translearn.cluster.tracking.connections import tracker_faults, tracking
from translearn.cluster.tracking.trackers import run_tracker
from translearn.config import StudySpec

mlflow = pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudySpec:
    """A study whose MLflow is a folder: its databases take half a minute to be made."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return spec_with(mlflow={"tracking_uri": f"file://{tmp_path}/runs"})


def client(spec: StudySpec) -> Any:
    assert spec.cluster.trackers.mlflow
    return mlflow.MlflowClient(spec.cluster.trackers.mlflow.tracking_uri)


def runs(spec: StudySpec) -> list[Any]:
    found = client(spec)
    return list(found.search_runs([found.get_experiment_by_name("pets").experiment_id]))


def test_a_run_has_parameters_and_a_curve(spec: StudySpec) -> None:
    assert tracker_faults(spec) == []
    with tracking(spec, "runs/pets", "today"):
        follow = run_tracker(spec, "refit", [job("scratch-0-0", source="scratch", freeze_depth=0, lr=0.1)])
        for epoch in (1, 2):
            follow(row("scratch-0-0", epoch))
    (run,) = runs(spec)
    assert (run.info.run_name, run.info.status) == ("scratch-0-0", "FINISHED")
    assert run.data.params == {"source": "scratch", "freeze_depth": "0", "lr": "0.1", "arch": "resnet18"}
    assert (run.data.tags["translearn.stage"], run.data.tags["translearn.run"]) == ("refit", "refit/scratch-0-0")
    history = client(spec).get_metric_history(run.info.run_id, "val_error")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.25)]


def send_and_interrupt(spec: StudySpec) -> None:
    with tracking(spec, "runs/pets", "today"):
        run_tracker(spec, "refit", [job("a")])(row("a", 1))
        raise KeyboardInterrupt


def test_a_run_that_was_interrupted_goes_on_as_the_same_run(spec: StudySpec) -> None:
    with pytest.raises(KeyboardInterrupt):
        send_and_interrupt(spec)
    assert [run.info.status for run in runs(spec)] == ["KILLED"]
    with tracking(spec, "runs/pets", "today"):
        run_tracker(spec, "refit", [job("a")])(row("a", 2))
    (run,) = runs(spec)
    assert (run.info.status, run.data.metrics["training_iteration"]) == ("FINISHED", 2)


def test_studies_of_one_name_have_runs_of_their_own(spec: StudySpec) -> None:
    for started in ("yesterday", "today"):
        with tracking(spec, "runs/pets", started):
            run_tracker(spec, "refit", [job("a")])(row("a", 2, reason="the loss is infinite"))
    assert [run.info.status for run in runs(spec)] == ["FAILED", "FAILED"]
    assert [run.data.tags["reason"] for run in runs(spec)] == ["the loss is infinite"] * 2


def test_an_experiment_in_the_trash_is_a_warning(spec: StudySpec, capsys: pytest.CaptureFixture[str]) -> None:
    client(spec).delete_experiment(client(spec).create_experiment("pets"))
    with tracking(spec, "runs/pets", "today"):
        run_tracker(spec, "refit", [job("a")])(row("a", 1))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert "non-active experiment" in line
    assert line.endswith("Nothing more is sent to it; the study goes on.")
