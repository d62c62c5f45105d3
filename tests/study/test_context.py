"""A study's warnings of its target are said before anything is trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from translearn.cluster.resources import Resources
from translearn.config import parse_spec
from translearn.storage.folder import Folder
from translearn.study import context
from translearn.study.context import study_context


def test_warnings_of_the_target_are_said_before_its_images_are_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
    spec = parse_spec({"name": "pets", "target": {"data": str(tmp_path / "pets")}, "sources": [source]})
    said: list[str] = []
    monkeypatch.setattr(context, "say", said.append)
    monkeypatch.setattr(context, "target_dataset", lambda *_: None)
    monkeypatch.setattr(context, "check_target", lambda *_: {"warnings": ["two test images are in train"]})
    monkeypatch.setattr(context, "decode", lambda *_: said.append("placed") or SimpleNamespace(train=[1] * 9, val=[]))
    monkeypatch.setattr(context, "remove_images", lambda _: None)
    with study_context(spec, Folder.open(tmp_path), cast(Resources, None), dict, num_sets=1):
        assert said == ["Warning: two test images are in train", "placed"]
