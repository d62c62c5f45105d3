"""Where relative paths of a study file begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from translearn.config import load_spec

TREE = {
    "name": "pets",
    "target": {"data": "data/pets"},
    "sources": [
        {"name": "own", "arch": "resnet18", "checkpoint": "../own.pth", "data": "s3://bucket/own"},
        {"name": "made", "arch": "resnet18", "pretrain": {"data": "procedural:glyphs"}},
        {"name": "there", "arch": "resnet18", "checkpoint": "/mnt/there.pth"},
        {"name": "home", "arch": "resnet18", "checkpoint": "~/home.pth"},
    ],
    "search": {"warm_start": "past"},
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pets.yaml").write_text(yaml.safe_dump(TREE))
    return tmp_path / "project/pets.yaml"


@pytest.mark.parametrize("cwd", [".", "project", "project/elsewhere"])
def test_relative_paths_begin_at_the_study_file_wherever_the_command_runs(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cwd: str
) -> None:
    (tmp_path / cwd).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / cwd)
    spec, project = load_spec(os.path.relpath(study)), tmp_path / "project"
    assert spec.storage == f"{project}/runs"
    assert spec.target.data == f"{project}/data/pets"
    assert spec.search.warm_start == f"{project}/past"
    checkpoints = [source.checkpoint for source in spec.sources]
    assert checkpoints == [f"{tmp_path}/own.pth", None, "/mnt/there.pth", "~/home.pth"]
    assert spec.sources[0].data == "s3://bucket/own"
    assert spec.sources[1].pretrain is not None
    assert spec.sources[1].pretrain.data == "procedural:glyphs"


def test_relative_paths_of_the_command_line_begin_where_the_command_runs(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = load_spec(
        study, ["storage=runs", "target.data=cats", "sources.0.checkpoint=a.pth", "search.warm_start=auto"]
    )
    assert (spec.storage, spec.target.data) == (f"{tmp_path}/runs", f"{tmp_path}/cats")
    assert spec.sources[0].checkpoint == f"{tmp_path}/a.pth"
    assert spec.search.warm_start == "auto"


def test_a_study_that_is_sent_to_a_cluster_keeps_its_paths(study: Path) -> None:
    spec = load_spec(study, ["name=cats"], as_written=True)
    assert (spec.storage, spec.target.data, spec.sources[0].checkpoint) == ("runs", "data/pets", "../own.pth")
