"""A whole study that a real MLflow server is told of: interrupted, without its server for a while, and complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow_server
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import small_tree

from translearn.cli import main
from translearn.cluster import tracking
from translearn.cluster.mlflow_client import connect
from translearn.cluster.outbox import Outbox
from translearn.study import search
from translearn.study.refits import refit

pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(2400)]

STATUS = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
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


def runs(address: str) -> list[Any]:
    client = connect(address)
    return list(client.search_runs([client.get_experiment_by_name("small").experiment_id]))


def by_stage(found: list[Any], stage: str) -> dict[str, Any]:
    return {run.info.run_name: run for run in found if run.data.tags["translearn.stage"] == stage}


def history(address: str, run: Any, figure: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in connect(address).get_metric_history(run.info.run_id, figure)]


def check_curves(address: str, found: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Every epoch of every run is there once, with the figures of ``curves.parquet``."""
    assert {row["run"] for row in rows} == set(found)
    for name, run in found.items():
        own = sorted((row for row in rows if row["run"] == name), key=lambda row: row["epoch"])
        for figure in FIGURES:
            assert sorted(history(address, run, figure)) == [(row["epoch"], row[figure]) for row in own]


def interrupt_after(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The so-many-th row of the search is followed by Ctrl-C."""
    shown, rows = search._show, []

    def show(*arguments: Any) -> None:
        shown(*arguments)
        rows.append(arguments)
        if len(rows) == num:
            raise KeyboardInterrupt

    monkeypatch.setattr(search, "_show", show)


def test_a_study_is_told_once_and_whole(
    ray_session: str,
    server: mlflow_server.MlflowServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, folder = tmp_path / "small.yaml", tmp_path / "small"
    file.write_text(yaml.safe_dump(small_tree(tmp_path, cluster__mlflow=server.address)))

    with monkeypatch.context() as context:
        interrupt_after(4, context)
        assert main(["run", str(file)]) == 1
    begun = runs(server.address)
    assert {run.info.status for run in by_stage(begun, "search").values()} == {"KILLED"}
    assert [run.info.status for run in by_stage(begun, "pretrain").values()] == ["FINISHED"]

    capsys.readouterr()
    with monkeypatch.context() as context:
        train_refits = refit.train_refits

        def train_without_server(*arguments: Any) -> None:
            server.stop()
            train_refits(*arguments)

        context.setattr(refit, "train_refits", train_without_server)
        context.setattr(tracking, "Outbox", lambda warn: Outbox(warn, patience_s=1.0, pause_s=0.1))
        assert main(["run", str(file)]) == 0
    output = capsys.readouterr().out
    assert output.count("warning: MLflow: ") == 1
    assert (folder / "report.html").exists()

    assert main(["run", str(file)]) == 2
    assert (
        f"cluster.mlflow: must be an MLflow server that answers, but got '{server.address}'" in capsys.readouterr().err
    )
    assert main(["report", str(file), "--set", "cluster.mlflow=null"]) == 0

    server.start()
    for _ in range(2):  # the first one sends what the server missed, the second one nothing
        assert main(["run", str(file)]) == 0
        check_all(server.address, folder)
    assert {run.info.run_id for run in begun} <= {run.info.run_id for run in runs(server.address)}


def check_all(address: str, folder: Path) -> None:
    found = runs(address)
    trials, curves = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("trials", "curves"))
    for stage in ("pretrain", "search", "refit"):
        check_curves(address, by_stage(found, stage), [row for row in curves if row["stage"] == stage])
    check_trials(by_stage(found, "search"), trials)
    for run in (*by_stage(found, "refit").values(), *by_stage(found, "pretrain").values()):
        assert run.info.status == "FINISHED"
    refits = by_stage(found, "refit")
    assert refits["transfer-0-0"].data.params.keys() >= {"source", "arch", "freeze_depth", "lr", "weight_decay", "seed"}
    assert by_stage(found, "pretrain")["glyphs"].data.params["data"] == "procedural:glyphs?num=600"
    check_result(by_stage(found, "study"), folder)


def check_trials(found: dict[str, Any], trials: list[dict[str, Any]]) -> None:
    assert set(found) == {trial["trial_id"] for trial in trials}
    for trial in trials:
        run = found[trial["trial_id"]]
        assert run.info.status == STATUS[trial["status"]]
        for name in ("source", "freeze_depth", "lr", "weight_decay", "arch"):
            assert run.data.params[name] == str(trial[name])


def check_result(found: dict[str, Any], folder: Path) -> None:
    evaluation = json.loads((folder / "evaluation.json").read_text())
    (run,) = found.values()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["target_error"] == evaluation["target"]["error"]
    assert run.data.metrics["target_high"] == evaluation["target"]["high"]
    assert run.data.metrics["transfer_gain"] == evaluation["transfer"]["gain"]
    assert run.data.metrics["transfer_gain_low"] == evaluation["transfer"]["low"]
    assert run.data.tags["transfer_gain.verdict"] == evaluation["transfer"]["verdict"]
    assert run.data.tags["report"] == str(folder / "report.html")
    assert run.data.tags["model"] == str(folder / "model")
