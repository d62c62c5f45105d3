"""What the command line does before any Ray starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from translearn.cli import main


def test_bad_options_of_ingest_are_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--split", "0.5", "0.5", "0.5", "--max-bad-fraction", "2", "--limit-per-class", "0"]
    assert main(["ingest", "sklearn:digits", str(tmp_path / "out"), *wrong, "--json"]) == 2
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["status"] == "bad input"
    assert last["faults"] == [
        "ingest.split: must be three fractions (train, val, test) that sum to 1, but got [0.5, 0.5, 0.5]. "
        "For example 0.7 0.15 0.15.",
        "ingest.max_bad_fraction: must lie in [0, 1], but got 2.0.",
        "ingest.limit_per_class: must be at least 1, but got 0.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_backbones_are_listed_with_what_a_study_needs_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbones", "test_vit", "--json"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["timm/test_vit", "4", "0.31", "M", "160", "r160_in1k"]
    (entry,) = [one for one in json.loads(last)["backbones"] if one["arch"] == "timm/test_vit"]
    assert entry["num_stages"] == 4


def test_a_long_list_of_backbones_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbones"]) == 0
    told = capsys.readouterr().out
    assert len(told.splitlines()) > 1000
    assert told.endswith("Give a pattern that fewer names fit to have their stages and parameters counted.\n")


def test_a_place_that_cannot_be_written_is_found_before_the_images_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["ingest", "sklearn:digits", str(tmp_path / "file" / "out")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_folder_of_something_else_is_found_by_a_dry_run_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("")
    assert main(["ingest", "sklearn:digits", str(tmp_path), "--dry-run"]) == 2
    told = f"error: {tmp_path}: must be empty or an earlier ingest's folder, but got thesis.tex. Choose another OUT.\n"
    assert capsys.readouterr().err == told
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_dry_ingest_shows_its_plan_and_leaves_nothing(monkeypatch, tmp_path, capsys) -> None:
    from translearn.data.ingest.ingest import IngestOptions, inspected
    from translearn.study.datasets import ingest as steps

    monkeypatch.setattr(steps, "inspected_in_parallel", inspected)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    steps.dry_run_ingest("sklearn:digits", IngestOptions())
    out = capsys.readouterr().out
    assert "split: [0.7, 0.15, 0.15]\n" in out
    assert "test: 269 images\nval: 269 images\ntrain: 1259 images\n" in out
    assert "train 40, val 40, test 40" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_time_without_a_unit_is_told_before_anything_is_read(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "missing.yaml", "--time", "30"]) == 2
    message = "--time: must be a time above 0, such as 30m, 2h, 90s or 1h30m, but got '30'. A number needs its unit."
    assert capsys.readouterr().err == f"error: {message}\n"


def test_the_time_of_the_command_is_that_of_the_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pets.yaml"
    file.write_text(
        "{name: pets, target: {data: d}, sources: [{name: a, arch: resnet18, weights: w}], time_budget_s: -1}"
    )
    assert main(["run", str(file)]) == 2
    assert capsys.readouterr().err.startswith("error: time_budget_s: must be ")
    assert main(["matrix", str(file), "--set", "time_budget_s=60"]) == 2
    remedy = "Lower search.trials, search.epochs and refit.epochs instead."
    assert f"time_budget_s: must be null for a matrix, but got 60. {remedy}" in capsys.readouterr().err
    assert main(["run", str(file), "--time", "1m", "--set", "seed=-1"]) == 2  # the time is no fault any more
    assert "time_budget_s" not in capsys.readouterr().err
