"""A whole study with a real MLflow server: interrupted, without its server for a while, and complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow_server
import pyarrow.parquet as pq
import pytest
import yaml
from small_study import small_tree

from translearn.cli import main
from translearn.study import run

mlflow = pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(2400)]

FIGURES = ("train_loss", "val_loss", "val_error", "lr")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow_server.MlflowServer]:
    if why := mlflow_server.why_not():
        pytest.skip(f"no MLflow server: {why}")
    made = mlflow_server.MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def runs(address: str, stage: str) -> dict[str, Any]:
    """The runs of a stage by their names, each of which is there once."""
    client = mlflow.MlflowClient(address)
    found = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    of_stage = [run for run in found if run.data.tags["translearn.stage"] == stage]
    assert len({run.info.run_name for run in of_stage}) == len(of_stage)
    return {run.info.run_name: run for run in of_stage}


def check_curves(address: str, found: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Every epoch of every run is there, with the figures of ``curves.parquet``."""
    client = mlflow.MlflowClient(address)
    assert {row["run"] for row in rows} == set(found)
    for name, one in found.items():
        own = sorted((row for row in rows if row["run"] == name), key=lambda row: row["epoch"])
        for figure in FIGURES:
            history = {metric.step: metric.value for metric in client.get_metric_history(one.info.run_id, figure)}
            assert history == {row["epoch"]: row[figure] for row in own}


def test_a_study_is_sent_while_it_runs_and_goes_on_without_its_server(
    ray_session: str,
    server: mlflow_server.MlflowServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, folder, address = tmp_path / "small.yaml", tmp_path / "small", server.address
    file.write_text(yaml.safe_dump(small_tree(tmp_path, cluster__trackers={"mlflow": {"tracking_uri": address}})))
    with monkeypatch.context() as context:
        context.setattr(run, "search", interrupt)
        assert main(["run", str(file)]) == 1
    assert [one.info.status for one in runs(address, "pretrain").values()] == ["FINISHED"]

    assert main(["search", str(file)]) == 0
    trials, curves = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("trials", "curves"))
    for stage in ("pretrain", "search"):
        check_curves(address, runs(address, stage), [row for row in curves if row["stage"] == stage])
    check_trials(runs(address, "search"), trials)

    capsys.readouterr()
    with monkeypatch.context() as context:
        context.setattr(run, "refit", without(server, run.refit))
        assert main(["run", str(file)]) == 0
    assert capsys.readouterr().out.count("warning: MLflow: ") == 1
    assert (folder / "report.html").exists()

    assert main(["run", str(file)]) == 0
    assert f"warning: MLflow: {address} does not answer" in capsys.readouterr().out

    server.start()
    assert main(["run", str(file)]) == 0
    check_result(runs(address, "study"), folder)


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def without(server: mlflow_server.MlflowServer, train: Any) -> Any:
    def train_without_server(*arguments: Any, **named: Any) -> None:
        server.stop()
        train(*arguments, **named)

    return train_without_server


def check_trials(found: dict[str, Any], trials: list[dict[str, Any]]) -> None:
    assert set(found) == {trial["trial_id"] for trial in trials}
    for trial in trials:
        one = found[trial["trial_id"]]
        assert one.info.status == ("FAILED" if trial["status"] == "failed" else "FINISHED")
        for name in ("source", "freeze_depth", "lr"):
            assert one.data.params[name] == str(trial[name])


def check_result(found: dict[str, Any], folder: Path) -> None:
    evaluation = json.loads((folder / "evaluation.json").read_text())
    (one,) = found.values()
    assert one.info.status == "FINISHED"
    assert one.data.params["source"] == evaluation["winner"]["source"]
    assert one.data.metrics["target_error"] == evaluation["target"]["error"]
    assert one.data.metrics["transfer_gain"] == evaluation["transfer"]["gain"]
    assert one.data.tags["verdict"] == evaluation["verdict"]["verdict"]
    assert one.data.tags["report"] == str(folder / "report.html")
    assert one.data.tags["model"] == str(folder / "model")
