"""Tune's trials reach the trackers, also those of an experiment that was restored; no key is left anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import cloudpickle, tune
from tracker_cases import ANSWERS, FakeTracker, spec_with

from translearn.cluster.tracking import connections
from translearn.cluster.tracking.connections import tracking
from translearn.cluster.tracking.trackers import trial_callbacks
from translearn.config import StudySpec

pytestmark = pytest.mark.ray

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's workers cannot import it

SECRET = "a-secret-that-nobody-may-see-0123456789ab"


class TwoEpochs(tune.Trainable):
    """Fails in its second epoch unless a file is there."""

    def setup(self, config: dict[str, Any]) -> None:
        self.epoch, self.file = 0, Path(config["file"])

    def step(self) -> dict[str, Any]:
        self.epoch += 1
        if self.epoch == 2 and not self.file.exists():
            raise RuntimeError("not yet")
        return {"epoch": self.epoch, "val_error": 0.5 / self.epoch, "done": self.epoch == 2}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "epoch").write_text(str(self.epoch))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.epoch = int(Path(checkpoint_dir, "epoch").read_text())


def tuned_in_two_goes(before: StudySpec, after: StudySpec, folder: Path) -> None:
    """Two trials that fail, and go on in an experiment that is restored, with the trackers of the second command."""
    space = {"lr": tune.grid_search([0.1, 0.2]), "file": str(folder / "go")}
    checkpoints = tune.CheckpointConfig(checkpoint_frequency=1)
    config = tune.RunConfig(
        name="search",
        storage_path=str(folder),
        verbose=0,
        callbacks=trial_callbacks(before),
        checkpoint_config=checkpoints,
    )
    with tracking(before, str(folder), "today"):
        assert tune.Tuner(TwoEpochs, param_space=space, run_config=config).fit().num_errors == 2
    (folder / "go").touch()
    with tracking(after, str(folder), "today"):
        found = tune.Tuner.restore(str(folder / "search"), TwoEpochs, resume_errored=True).fit()
    assert [result.metrics["epoch"] for result in found] == [2, 2]


def holding_the_secret(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_restored_experiment_sends_to_the_trackers_of_the_command_that_restores_it(
    ray_session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = FakeTracker(), FakeTracker()
    made = iter([first, second])
    monkeypatch.setattr(connections, "_tracker", lambda *_: next(made))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", SECRET)
    tuned_in_two_goes(spec_with(mlflow=ANSWERS), spec_with(mlflow={"tracking_uri": "databricks://other"}), tmp_path)
    for tracker, epoch, failed in ((first, 1, True), (second, 2, False)):
        assert {call[0] for call in tracker.calls} == {"setup", "start", "result", "end"}
        assert sorted(call[2]["lr"] for call in tracker.calls if call[0] == "start") == [0.1, 0.2]
        results = [call[2] for call in tracker.calls if call[0] == "result"]
        assert [(one["epoch"], one["val_error"]) for one in results] == [(epoch, 0.5 / epoch)] * 2
        assert [call[-1] for call in tracker.calls if call[0] == "end"] == [failed] * 2
    assert not holding_the_secret(tmp_path)


def test_trials_in_mlflow_and_wandb_go_on_in_their_runs_and_no_key_is_left(
    ray_session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="an extra, which `make test-all` installs")
    wandb = pytest.importorskip("wandb", reason="an extra, which `make test-all` installs")
    variables = {"MLFLOW_ALLOW_FILE_STORE": "true", "WANDB_DIR": str(tmp_path / "offline"), "WANDB_API_KEY": SECRET}
    for name, value in {**variables, "MLFLOW_TRACKING_TOKEN": SECRET}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "offline").mkdir()
    wandb.teardown()  # it reads the environment once a process
    uri = f"file://{tmp_path}/mlflow"
    spec = spec_with(mlflow={"tracking_uri": uri}, wandb={"mode": "offline"})
    tuned_in_two_goes(spec, spec, tmp_path)
    wandb.teardown()
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("pets").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert sorted(run.data.params["lr"] for run in runs) == ["0.1", "0.2"]
    assert [run.data.tags["translearn.stage"] for run in runs] == ["search"] * 2
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "val_error")
        assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.25)]
    files = sorted(path.name for path in (tmp_path / "offline").glob("wandb/offline-run-*/*.wandb"))
    assert (len(files), len(set(files))) == (4, 2)  # a file a command, of two runs
    assert not holding_the_secret(tmp_path)
    assert not holding_the_secret(Path(ray._private.worker._global_node.get_logs_dir_path()))
