"""A study is opened whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from translearn.config import parse_spec
from translearn.errors import TranslearnError
from translearn.storage.folder import Folder
from translearn.study import opening
from translearn.study.directory import SPEC
from translearn.study.lock.lock import only_driver
from translearn.study.opening import open_study
from translearn.study.planning.look import Size


def test_nothing_is_written_into_a_study_that_another_command_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("plan_resources", "check_cuda", "check_shared"):
        monkeypatch.setattr(opening, check, lambda *_: None)
    monkeypatch.setattr(opening, "check_study", lambda *_: {"target": Size(2, 9)})
    folder, source = Folder.open(tmp_path), {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
    spec = parse_spec({"name": "pets", "storage": folder.path, "target": {"data": "x"}, "sources": [source]})
    with only_driver(folder, "pets"), pytest.raises(TranslearnError, match="one command"), open_study(spec, "run"):
        pass
    assert not (folder / "pets").exists(SPEC)
    said: list[str] = []
    monkeypatch.setattr(opening, "data_warnings", lambda _: ["target: x has changed"])
    monkeypatch.setattr(opening, "say", said.append)
    with open_study(spec, "run") as study:
        assert study.folder.exists(SPEC)
        assert (study.warnings, said) == (("target: x has changed",), ["Warning: target: x has changed"])
