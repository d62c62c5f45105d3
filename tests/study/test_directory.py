"""A study's directory: opened once, gone on with, and closed to another study of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import translearn
from translearn.config import StudySpec, load_spec, parse_spec
from translearn.errors import SpecError, StorageError
from translearn.storage.folder import Folder
from translearn.study.directory import PROVENANCE, SPEC, changes, dump_spec, open_study


def spec_of(storage: Path, **more: Any) -> StudySpec:
    source = {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
    fields = {"name": "pets", "storage": str(storage), "target": {"data": str(storage / "x")}, "sources": [source]}
    return parse_spec({**fields, **more})


def test_a_new_study_says_what_it_is_and_who_made_it(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, seed=3)
    folder = open_study(spec, "translearn run study.yaml")
    assert folder.uri == str(tmp_path / "pets")
    assert folder.names() == [PROVENANCE, SPEC]
    record = folder.read_json(PROVENANCE)
    assert record["command"] == "translearn run study.yaml"
    assert (record["seed"], record["translearn"]) == (3, translearn.__version__)
    assert record["packages"]["torch"].startswith("2.")
    assert str(tmp_path) not in str(record)


def test_the_written_spec_is_a_study_file_of_the_same_study(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, search={"lr": [1e-5, 1e-1]}, train={"clip_norm": 1})
    folder = open_study(spec, "")
    assert load_spec(Path(folder.file(SPEC))) == spec
    assert yaml.safe_load(dump_spec(spec)) == spec.model_dump(mode="json")


def test_the_same_study_goes_on_and_keeps_its_provenance(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    before = open_study(spec, "first").read_bytes(PROVENANCE)
    assert changes(open_study(spec, "second"), spec) == []
    assert open_study(spec, "third").read_bytes(PROVENANCE) == before


def test_a_study_that_broke_off_before_its_provenance_is_opened_again(tmp_path: Path) -> None:
    folder = open_study(spec_of(tmp_path), "")
    folder.remove_file(PROVENANCE)
    assert open_study(spec_of(tmp_path), "").exists(PROVENANCE)


def test_a_study_goes_on_after_it_was_moved_together_with_its_data(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    open_study(spec_of(before), "")
    before.rename(after)
    folder = Folder.open(after / "pets")
    assert changes(folder, spec_of(after)) == []
    (line,) = changes(folder, spec_of(after, target={"data": str(after / "y")}))
    assert line.startswith(f"target.data: must stay '{before}/x' as in {after}/pets/spec.yaml, but got '{after}/y'. ")


def test_the_trackers_of_a_study_may_change(tmp_path: Path) -> None:
    folder = open_study(spec_of(tmp_path), "")
    for address in ("http://127.0.0.1:5000", "http://127.0.0.1:5001"):
        trackers = {"mlflow": {"tracking_uri": address}, "wandb": {"mode": "offline"}}
        assert changes(folder, spec_of(tmp_path, cluster={"trackers": trackers})) == []
    assert changes(folder, spec_of(tmp_path)) == []


def test_every_changed_field_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    folder = open_study(spec_of(tmp_path, search={"freeze_depth": [0, 1]}), "")
    before = folder.read_bytes(SPEC)
    with pytest.raises(SpecError) as caught:
        open_study(spec_of(tmp_path, seed=1, search={"freeze_depth": [0]}, train={"clip_norm": 2}), "")
    file, remedy = f"{folder.uri}/{SPEC}", f"Use another `name`, or delete {folder.uri} to start again."
    assert str(caught.value).splitlines() == [
        f"search.freeze_depth.1: must stay 1 as in {file}, but got None. {remedy}",
        f"seed: must stay 0 as in {file}, but got 1. {remedy}",
        f"train.clip_norm: must stay None as in {file}, but got 2.0. {remedy}",
    ]
    assert folder.read_bytes(SPEC) == before


def test_a_storage_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"Free space or choose another `storage`\.$"):
        open_study(spec_of(tmp_path / "file"), "")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"name: [pets\n", r"must be YAML, but got something else \(while parsing"),
        (b"\xff\xfe\x00", r"must be YAML, but got something else \("),
        (b"", "must be a study file, but got NoneType"),
        (b"- pets\n", "must be a study file, but got list"),
    ],
)
def test_a_damaged_spec_is_told_of_with_a_way_out(tmp_path: Path, content: bytes, got: str) -> None:
    spec = spec_of(tmp_path)
    folder = open_study(spec, "run")
    folder.write_bytes(SPEC, content)
    way_out = rf"Put the file back as it was, or delete {folder.uri} to start again\.$"
    with pytest.raises(SpecError, match=rf"^{folder.uri}/{SPEC}: {got}.*{way_out}"):
        changes(folder, spec)
