"""What an interrupted study says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deploy_cases import made_model

from translearn.config import StudySpec, parse_spec
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import TaskErrors
from translearn.storage.folder import Folder
from translearn.study import directory
from translearn.study.done import ended
from translearn.study.tables import TRIAL_SCHEMA, table
from translearn.study.unfinished import progress
from translearn.study.unfinished.progress import progress_lines, told_when_interrupted


def study(storage: Path) -> StudySpec:
    source = {"name": "a-b", "arch": "resnet18", "weights": "DEFAULT"}
    return parse_spec({"name": "pets", "storage": str(storage), "target": {"data": "d"}, "sources": [source]})


def begun(folder: Folder, name: str, *rows: dict[str, object], search: str = "search") -> None:
    config = {"source": "a-b", "freeze_depth": 2, "lr": 0.01}
    lines = [json.dumps({"config": config, "epochs": 9, **row}) for row in rows]
    (folder / search / name).write_bytes("result.json", "\n".join([*lines, '{"cut o']).encode())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder.open(tmp_path) / "pets"
    found.write_json(directory.PROVENANCE, {"command": "translearn run '<pets>.yaml'"})
    return found


def test_a_study_that_has_just_begun_says_what_is_missing(tmp_path: Path, folder: Folder) -> None:
    assert progress_lines(study(tmp_path), folder) == [
        "Sources: not all of 1 at hand yet.",
        "Ranking: not done yet.",
        "Search: 0 of 32 trials ended, 0 under way.",
        "Refits: 0 done.",
        "Test: not read yet.",
        "Model: none yet.",
    ]


def test_a_study_says_how_many_trials_ended_the_best_one_and_its_model(
    tmp_path: Path,
    folder: Folder,
) -> None:
    state, info = load_model(Folder.open(made_model(tmp_path / "made")))
    told = {"errors": TaskErrors(validation=0.25), "provenance": {"what": "linear probe of a-b"}}
    save_model(folder / "model", state, info.model_copy(update=told))
    folder.write_table(directory.SOURCES, table([], TRIAL_SCHEMA))
    folder.write_json(directory.RANKING, {"order": ["a-b"]})
    begun(folder, "one", {"epoch": 1, "val_error": 0.5}, {"epoch": 2, "val_error": 0.125})
    begun(folder, "two", {"epoch": 9, "val_error": 0.25, "done": True})
    begun(folder, "three", {"epoch": 1, "val_error": float("nan"), "done": True}, search="search-scratch")
    lines = progress_lines(study(tmp_path), folder)
    assert lines[:4] == [
        "Sources: 1 at hand, and scratch.",
        "Ranking: a-b, best first.",
        "Search: 2 of 32 trials ended, 1 under way.",
        "Best trial so far: a-b, freeze depth 2, learning rate 0.01: validation error 12.5 % after 2 of 9 epochs.",
    ]
    assert lines[-1] == f"Model so far: linear probe of a-b: validation error 25.0 %; {(folder / 'model').uri}"
    row = {"trial_id": "two", "source": "a-b", "freeze_depth": 0, "lr": 0.1, "epochs": 9, "val_error": 0.0625}
    folder.write_table(directory.TRIALS, table([row], TRIAL_SCHEMA))
    (folder / "refit" / "transfer-0-0").write_json("model.json", {})
    assert progress_lines(study(tmp_path), folder)[2:5] == [
        "Search: 1 of 32 trials ended, 0 under way.",
        "Best trial so far: a-b, freeze depth 0, learning rate 0.1: validation error 6.2 % after 9 of 9 epochs.",
        "Refits: 1 done.",
    ]


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(15)])
def test_an_interrupted_study_leaves_a_page_ends_as_before_and_is_not_taken_for_done(
    tmp_path: Path, folder: Folder, how: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "say", said.append)
    spec = study(tmp_path)
    with pytest.raises(type(how)) as caught, told_when_interrupted(spec, folder):
        raise how
    assert caught.value is how
    assert said[0] == "No verdict yet."
    assert said[-2:] == ["To go on: translearn run '<pets>.yaml'", f"report: {folder.address('report.html')}"]
    page = folder.read_bytes(directory.REPORT).decode()
    assert "<h1>No verdict yet</h1>" in page
    assert "translearn run &#39;&lt;pets&gt;.yaml&#39;" in page
    assert "<li>Search: 0 of 32 trials ended, 0 under way.</li>" in page
    (folder / "model").write_json("model.json", {})
    assert ended(spec) is None


def test_a_study_with_figures_keeps_its_report(tmp_path: Path, folder: Folder) -> None:
    folder.write_json(directory.EVALUATION, {})
    folder.write_bytes(directory.REPORT, b"the report")
    with pytest.raises(KeyboardInterrupt), told_when_interrupted(study(tmp_path), folder):
        raise KeyboardInterrupt
    assert folder.read_bytes(directory.REPORT) == b"the report"
