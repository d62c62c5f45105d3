"""A study is opened whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from translearn.config import parse_spec
from translearn.errors import TranslearnError
from translearn.storage.folder import Folder
from translearn.study import run
from translearn.study.directory import SPEC
from translearn.study.lock.lock import only_driver


def test_nothing_is_written_into_a_study_that_another_command_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("check_study", "plan_resources", "check_shared"):
        monkeypatch.setattr(run, check, lambda _: None)
    folder, source = Folder.open(tmp_path), {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
    spec = parse_spec({"name": "pets", "storage": folder.path, "target": {"data": "x"}, "sources": [source]})
    with only_driver(folder, "pets"), pytest.raises(TranslearnError, match="one command"), run.open_study(spec, "run"):
        pass
    assert not (folder / "pets").exists(SPEC)
    with run.open_study(spec, "run") as study:
        assert study.folder.exists(SPEC)
