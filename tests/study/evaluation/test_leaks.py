"""The leak check: duplicates of test images among a source's training images, exact and near."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translearn.config import StudySpec, parse_spec
from translearn.data.images.decode import select_split
from translearn.data.ingest.ingest import ingest
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.evaluation.verdict.sentences import leak_sentences
from translearn.storage.folder import Folder
from translearn.study.evaluation import leaks, seen
from translearn.study.evaluation.leaks import check_leaks

NUM = 6


def picture(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((48, 48), Image.Resampling.BICUBIC)


def write(folder: Path, name: str, seeds: dict[str, list[int]], **changed: Image.Image) -> None:
    """An ingested data set ``name`` with pictures by split; ``changed`` replaces the training ones of that name."""
    for split in ("train", "val", "test"):
        for index, seed in enumerate(seeds[split]):
            path = folder / "images" / name / split / "ab"[index % 2]
            path.mkdir(parents=True, exist_ok=True)
            image = changed.get(f"i{index}", picture(seed)) if split == "train" else picture(seed)
            image.save(path / f"{index}.png")
    plan = plan_ingest(str(folder / "images" / name), IngestOptions())
    ingest(plan, Folder.open(folder / "sets" / name), inspected(plan))


def study(folder: Path, sources: list[dict[str, Any]]) -> StudySpec:
    return parse_spec({"name": "x", "target": {"data": str(folder / "sets" / "target")}, "sources": sources})


def pretrained(folder: Path, name: str, **ingest: Any) -> dict[str, Any]:
    return {"name": name, "arch": "resnet18", "pretrain": {"data": str(folder / "sets" / name), "ingest": ingest}}


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    ordinary = {"train": list(range(NUM)), "val": [90, 91], "test": [100, 101, 102, 103]}
    write(tmp_path, "target", ordinary)
    clean = {"train": list(range(200, 200 + NUM)), "val": [300, 301], "test": [302, 303]}
    write(tmp_path, "clean", clean)
    small = picture(102).resize((30, 30), Image.Resampling.BICUBIC)
    write(tmp_path, "leaky", clean, i0=picture(101), i1=small)
    return tmp_path


def test_exact_and_near_duplicates_of_test_images_are_counted_and_named(sets: Path, tmp_path: Path) -> None:
    spec = study(sets, [pretrained(sets, "leaky"), pretrained(sets, "clean")])
    found = check_leaks(spec, Folder.open(tmp_path / "study"))
    leaky, clean = found["sources"]
    assert {name: leaky[name] for name in ("num_train", "num_test", "num_exact", "num_near")} == {
        "num_train": NUM,
        "num_test": 4,
        "num_exact": 1,
        "num_near": 1,
    }
    assert leaky["pairs"] == [
        {"source_image": "train/a/0.png", "test_image": "test/b/1.png", "kind": "exact"},
        {"source_image": "train/b/1.png", "test_image": "test/a/2.png", "kind": "near"},
    ]
    assert (clean["num_exact"], clean["num_near"], clean["pairs"]) == (0, 0, [])
    assert leak_sentences(found) == [
        "Warning: of the target's 4 test images leaky was trained on 1 exact and 1 near duplicate: "
        "its figures may be too good.",
        "Leaks: none found for clean.",
    ]
    assert found["unchecked"] == []


def test_the_target_training_images_are_no_leak(sets: Path, tmp_path: Path) -> None:
    write(sets, "same", {"train": list(range(NUM)), "val": [90, 91], "test": [100, 101]})
    found = check_leaks(study(sets, [pretrained(sets, "same")]), Folder.open(tmp_path / "study"))
    assert leak_sentences(found) == ["Leaks: none found for same."]


def test_only_the_images_that_the_source_is_trained_on_count(sets: Path, tmp_path: Path) -> None:
    spec = study(sets, [pretrained(sets, "leaky", limit_per_class=1)])
    [row] = check_leaks(spec, Folder.open(tmp_path / "study"))["sources"]
    assert row["num_train"] == 2


def test_a_source_whose_data_is_not_at_hand_is_said_to_be_unchecked(sets: Path, tmp_path: Path) -> None:
    spec = study(sets, [{"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}])
    found = check_leaks(spec, Folder.open(tmp_path / "study"))
    assert (found["sources"], found["unchecked"]) == ([], ["imagenet"])
    assert leak_sentences(found) == ["Leaks: not checked: imagenet (its data is not at hand)."]


def test_clean_sources_and_unchecked_ones_are_told_apart() -> None:
    clean = {"source": "a", "num_test": 4, "num_exact": 0, "num_near": 0}
    found = {"sources": [clean, {**clean, "source": "b"}], "unchecked": ["c", "d"]}
    line = "Leaks: none found for a, b; not checked: c, d (their data is not at hand)."
    assert leak_sentences(found) == [line]


def test_the_data_of_weights_is_looked_at_where_the_study_says_where_it_lies(sets: Path, tmp_path: Path) -> None:
    known = {"name": "hub", "arch": "resnet18", "weights": "DEFAULT", "data": str(sets / "sets" / "leaky")}
    found = check_leaks(study(sets, [known]), Folder.open(tmp_path / "study"))
    assert [(row["source"], row["num_exact"]) for row in found["sources"]] == [("hub", 1)]
    assert found["unchecked"] == []


def test_a_target_of_a_matrix_looks_for_the_sources_data_in_the_study_that_has_them(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(leaks, "source_dataset", lambda _, folder: asked.append(folder.uri))
    spec, home = study(sets, [pretrained(sets, "leaky")]), Folder.open(tmp_path / "home")
    check_leaks(spec, Folder.open(tmp_path / "target"), home)
    check_leaks(spec, Folder.open(tmp_path / "alone"))
    assert asked == [home.uri, Folder.open(tmp_path / "alone").uri]


def test_what_was_found_is_read_again(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, folder = study(sets, [pretrained(sets, "leaky")]), Folder.open(tmp_path / "study")
    first = check_leaks(spec, folder)
    monkeypatch.setattr(seen, "prints", None)
    assert check_leaks(spec, folder) == first
    assert json.loads((tmp_path / "study" / "leaks.json").read_text()) == first


def test_no_more_than_twenty_pairs_are_named(sets: Path, tmp_path: Path) -> None:
    write(sets, "many", {"train": [100] * 30, "val": [300, 301], "test": [302, 303]})
    [row] = check_leaks(study(sets, [pretrained(sets, "many")]), Folder.open(tmp_path / "study"))["sources"]
    assert (row["num_exact"], row["num_near"], len(row["pairs"])) == (1, 0, 20)


def test_labels_play_no_part(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(*wanted: Any) -> Any:
        selection = select_split(*wanted)
        return dataclasses.replace(selection, labels=np.zeros_like(selection.labels))

    spec = study(sets, [pretrained(sets, "leaky")])
    seeing = check_leaks(spec, Folder.open(tmp_path / "seeing"))
    monkeypatch.setattr(seen, "select_split", blind)
    assert check_leaks(spec, Folder.open(tmp_path / "blind")) == seeing
