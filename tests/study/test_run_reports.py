"""From what a study keeps to what a tracking server is told; no server, no Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.contest import Point
from translearn.errors import WeightsError
from translearn.models.model_dir import ModelInfo, Preprocessing, save_model
from translearn.models.network import build
from translearn.storage.folder import Folder
from translearn.study import directory, tracked
from translearn.study.run_reports import model_params, reports, steps, study_report, trial_params, trial_reports
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table

TRIAL = {"source": "glyphs", "arch": "resnet18", "freeze_depth": 2, "lr": 0.01, "weight_decay": 1e-4}
EPOCH = {"train_loss": 1.0, "val_loss": 2.0, "val_error": 0.5, "lr": 0.01, "images_per_s": 9.0}


def study(**cluster: Any) -> StudySpec:
    source = {"name": "glyphs", "arch": "resnet18", "weights": "DEFAULT"}
    tree = {"name": "pets", "seed": 3, "target": {"data": "x"}, "sources": [source], "search": {"epochs": 4}}
    return parse_spec({**tree, "cluster": cluster})


def evaluation(**more: Any) -> dict[str, Any]:
    gain = {"gain": 0.2, "low": 0.1, "high": 0.3, "family_low": 0.05, "family_high": 0.35, "verdict": "helped"}
    return {
        "target": {"error": 0.1, "low": 0.05, "high": None},
        "winner": TRIAL,
        "transfer": gain,
        "over_probe": None,
        "summary": ["Target error: 10 %.", "Transfer helped."],
        "test_reads": 1,
        **more,
    }


def row(run: str, epoch: int, stage: str = "search", **more: Any) -> dict[str, Any]:
    return {"stage": stage, "run": run, "epoch": epoch, **EPOCH, **more}


def test_an_epochs_figures_have_its_number_and_its_time() -> None:
    (step,) = steps([row("a", 2, ended_at=5.0, weights="abc", seconds=1.0)])
    assert (step.number, step.figures, step.at) == (2, EPOCH, 5.0)


def test_the_row_of_a_failure_has_no_figures_and_unknown_ones_are_left_out() -> None:
    assert steps([{"run": "a", "epoch": 2, "val_error": 1.0, "reason": "it diverged"}]) == []
    assert steps([{"run": "a", "epoch": 1, "val_error": 0.5, "val_loss": None}])[0].figures == {"val_error": 0.5}


def test_a_trial_has_the_same_parameters_while_it_runs_and_afterwards() -> None:
    point = Point("glyphs", 2, 0.01, 1e-4, is_scratch=False)
    live, kept = trial_params(study(), vars(point)), trial_params(study(), {**TRIAL, "epochs": 1, "status": "stopped"})
    assert live == kept
    assert live == {"source": "glyphs", "freeze_depth": 2, "lr": 0.01, "weight_decay": 1e-4, "epochs": 4, "seed": 3}


def test_trials_have_their_epochs_and_how_they_ended() -> None:
    trials = [
        {**TRIAL, "trial_id": "001", "status": "stopped", "reason": None},
        {**TRIAL, "trial_id": "002", "status": "failed", "reason": "it diverged"},
    ]
    curves = [row("001", 1), row("002", 1), row("001", 2), row("001", 1, stage="refit")]
    first, second = trial_reports(study(), trials, curves)
    assert (first.key, first.status, [step.number for step in first.steps]) == ("search/001", "stopped", [1, 2])
    assert first.params["arch"] == "resnet18"
    assert (second.status, second.tags, second.ending) == ("failed", {"reason": "it diverged"}, "failed 1")


def info(**provenance: Any) -> ModelInfo:
    preprocessing = Preprocessing(image_size=32, mean=(0.5,) * 3, std=(0.5,) * 3, resize="")
    return ModelInfo(arch="resnet18", classes=("a", "b"), preprocessing=preprocessing, provenance=provenance)


def test_a_refit_has_its_own_seed_and_a_pre_training_that_of_the_study() -> None:
    assert model_params(info(seed=0, refit_seed=7, source="glyphs", lr=0.1, roles=["x"])) == {
        "source": "glyphs",
        "lr": 0.1,
        "arch": "resnet18",
        "seed": 7,
    }
    assert model_params(info(seed=0, data="x")) == {"arch": "resnet18", "seed": 0, "data": "x"}


def test_the_result_has_every_figure_that_is_known_and_says_where_the_files_are() -> None:
    told = study_report(study(), evaluation(), {"report": "runs/pets/report.html"})
    assert told.key == "study/pets"
    assert told.steps[0].figures == {
        "target_error": 0.1,
        "target_low": 0.05,
        "transfer_gain": 0.2,
        "transfer_gain_low": 0.1,
        "transfer_gain_high": 0.3,
        "transfer_gain_family_low": 0.05,
        "transfer_gain_family_high": 0.35,
    }
    assert told.tags["transfer_gain.verdict"] == "helped"
    assert told.tags["winner.lr"] == "0.01"
    assert told.tags["summary"] == "Target error: 10 %.\nTransfer helped."
    assert told.tags["report"] == "runs/pets/report.html"


def test_a_second_reading_of_test_is_another_step_and_another_ending() -> None:
    first, second = (study_report(study(), evaluation(test_reads=reads), {}) for reads in (1, 2))
    assert (first.ending, second.ending) == ("done 1", "done 2")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A study with a refit that has a model, one that diverged, one that is not done, and one trial."""
    made = Folder.open(tmp_path)
    save_model(made / "refit" / "transfer-0-0", build("resnet18", 2, 0).state_dict(), info(lr=0.1, seed=0))
    (made / "refit" / "transfer-0-0").write_table("curve.parquet", table([EPOCH | {"epoch": 1}], CURVE_SCHEMA))
    (made / "refit" / "scratch-0-0").write_json("failed.json", {"reason": "it diverged"})
    (made / "refit" / "scratch-0-1").write_bytes("other", b"")
    trial = {**TRIAL, "trial_id": "001", "status": "done"}
    made.write_table(directory.TRIALS, table([trial], TRIAL_SCHEMA))
    made.write_table(directory.CURVES, table([row("001", 1)], CURVE_SCHEMA))
    return made


def test_all_that_a_study_keeps_is_told(folder: Folder) -> None:
    told = {report.key: (report.status, len(report.steps)) for report in reports(study(), folder)}
    assert told == {"refit/transfer-0-0": ("done", 1), "refit/scratch-0-0": ("failed", 0), "search/001": ("done", 1)}


def test_a_new_study_has_nothing_to_tell(tmp_path: Path) -> None:
    assert list(reports(study(), Folder.open(tmp_path / "new"))) == []


def test_a_file_that_is_damaged_is_a_warning(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "refit" / "transfer-0-0").write_bytes("model.json", b"{")
    with pytest.raises(WeightsError):
        list(reports(study(), folder))
    tracked.catch_up(study(mlflow="http://127.0.0.1:1"), folder)
    assert capsys.readouterr().out.startswith("warning: MLflow: not all could be sent: ")
