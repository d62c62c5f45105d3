"""The store of past trials: what is written of a study, once, and what damaged files do."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from history_cases import Splits, row, sources, study

from translearn.storage.folder import Folder
from translearn.study.ranking import history
from translearn.study.ranking.history import HISTORY, HISTORY_SCHEMA, recall, remember, source_scores, target_features
from translearn.study.tables import RANKING_SCHEMA, table

TRIAL = {
    "trial_id": "001-a",
    "source": "a",
    "arch": "resnet18",
    "freeze_depth": 3,
    "lr": 0.01,
    "weight_decay": 0.0,
    "status": "done",
    "epochs": 20,
    "val_error": 0.25,
    "val_loss": 0.7,
    "seconds": 3.0,
}


def remembered(tmp_path: Path, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    spec = study().model_copy(update={"storage": str(tmp_path)})
    remember(spec, Folder.open(tmp_path / "new"), Splits(), sources(), trials)
    return recall(Folder.open(tmp_path) / HISTORY)


def test_a_trial_comes_back_with_what_is_known_of_its_target_and_source(tmp_path: Path) -> None:
    ranks = [{"source": "a", "depth": depth, "score": "knn", "value": depth / 10} for depth in (5, 4)]
    ranks += [{"source": "a", "depth": 5, "score": "logme", "value": -1.0}]
    Folder.open(tmp_path / "new").write_table("ranking.parquet", table(ranks, RANKING_SCHEMA))
    (found,) = remembered(tmp_path, [TRIAL])
    assert {key: found[key] for key in TRIAL if key != "seconds"} == {k: v for k, v in TRIAL.items() if k != "seconds"}
    assert (found["study"], found["optimizer"], found["full_epochs"]) == ("new", "sgd", 20)
    assert (found["target_fingerprint"], found["num_classes"], found["image_size"]) == ("print of the target", 2, 64)
    assert found["images_per_class"] == 2.0
    assert found["label_entropy"] == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert (found["kind"], found["source_fingerprint"], found["source_score"]) == ("weights", "hash of a", 0.5)
    assert found["num_parameters"] == 11_176_512  # ResNet-18 without its head
    assert set(found) == set(HISTORY_SCHEMA.names)


def test_scratch_has_no_fingerprint_and_without_a_ranking_nobody_a_score(tmp_path: Path) -> None:
    (found,) = remembered(tmp_path, [{**TRIAL, "source": "scratch"}])
    assert (found["kind"], found["source_fingerprint"], found["source_score"]) == ("scratch", None, None)
    assert source_scores(Folder.open(tmp_path / "new")) == {}


def test_a_study_is_written_once(tmp_path: Path) -> None:
    trial = {**TRIAL, "val_loss": math.nan}
    remembered(tmp_path, [trial])
    (file,) = (tmp_path / HISTORY).glob("*.parquet")
    before = file.stat().st_mtime_ns
    remembered(tmp_path, [trial])
    assert file.stat().st_mtime_ns == before


def test_a_study_that_was_searched_again_replaces_what_it_left(tmp_path: Path) -> None:
    remembered(tmp_path, [TRIAL])
    assert [row["val_error"] for row in remembered(tmp_path, [{**TRIAL, "val_error": 0.9}])] == [0.9]


def test_a_damaged_file_of_the_study_itself_is_replaced(tmp_path: Path) -> None:
    (tmp_path / HISTORY).mkdir()
    (tmp_path / HISTORY / "new.parquet").write_bytes(b"no table")
    assert [row["val_error"] for row in remembered(tmp_path, [TRIAL])] == [0.25]


def test_an_empty_class_counts_and_adds_no_entropy() -> None:
    splits = Splits()
    splits.classes = ["x", "y", "never"]
    found = target_features(study(), splits)
    assert (found["num_classes"], found["images_per_class"]) == (3, pytest.approx(4 / 3))
    assert found["label_entropy"] == pytest.approx(0.5623351446)


def test_a_store_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert recall(Folder.open(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("damage", ["not parquet", "other columns", "cut off"])
def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path, monkeypatch: Any, damage: str) -> None:
    said: list[str] = []
    monkeypatch.setattr(history, "say", said.append)
    store = Folder.open(tmp_path)
    store.write_table("good.parquet", table([row("good")], HISTORY_SCHEMA))
    whole = store.read_bytes("good.parquet")
    if damage == "other columns":
        store.write_table("bad.parquet", pa.table({"a": [1]}))
    else:
        store.write_bytes("bad.parquet", b"nothing" if damage == "not parquet" else whole[: len(whole) // 2])
    assert [one["study"] for one in recall(store)] == ["good"]
    (line,) = said
    assert line.startswith(f"warning: a past study is left out: {tmp_path}/bad.parquet: ")


def test_part_of_a_file_that_a_killed_study_left_is_not_read(tmp_path: Path) -> None:
    store = Folder.open(tmp_path)
    store.write_bytes(".good.parquet.1234.part", b"half")
    assert recall(store) == []
