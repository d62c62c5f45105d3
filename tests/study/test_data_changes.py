"""Data that changed after the first ingest: compared and said; never needed where the study has its copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from translearn.config import StudySpec, parse_spec
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.errors import TranslearnError
from translearn.storage.folder import Folder
from translearn.study.datasets.changes import at_hand, copy_of, data_warnings
from translearn.study.datasets.names import ingest_options
from translearn.study.directory import PROVENANCE
from translearn.study.planning.look import Size, look

_COPY = "The study goes on with its own copy; use another name for a study of what is there now."


def _image(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number % 256, number // 256, 77)).save(path)


def _study(folder: Path, data: Path) -> StudySpec:
    source = {"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}
    return parse_spec(
        {"name": "pets", "storage": str(folder / "runs"), "target": {"data": str(data)}, "sources": [source]}
    )


@pytest.fixture
def begun(tmp_path: Path) -> StudySpec:
    """A study that has ingested its folder: 150 images of each class, and a damaged one."""
    for number in range(300):
        _image(tmp_path / "pets" / "ab"[number % 2] / f"{number}.png", number)
    (tmp_path / "pets/a/bad.png").write_bytes(b"bad")
    spec = _study(tmp_path, tmp_path / "pets")
    plan = plan_ingest(spec.target.data, ingest_options(spec.target.ingest))
    ingest(plan, copy_of(spec, "target"), inspected(plan))
    return spec


def test_what_stayed_as_it_was_is_no_word_worth(begun: StudySpec) -> None:
    assert data_warnings(begun) == []


def test_images_added_removed_and_mended_are_counted(begun: StudySpec, tmp_path: Path) -> None:
    pets, before = tmp_path / "pets", look(begun)
    _image(pets / "a" / "new.png", 999)
    (pets / "b" / "1.png").rename(pets / "a" / "1.png")
    (pets / "a" / "0.png").unlink()
    assert data_warnings(begun) == [
        f"target: {pets} has changed since the study ingested it: images: 2 added (first: a/1.png), "
        f"2 removed (first: a/0.png). {_COPY}"
    ]
    assert look(begun) == before  # the plan counts what is trained on


def test_labels_mended_in_a_table_are_counted(tmp_path: Path) -> None:
    rows = [(f"{number}.png", "ab"[number % 2]) for number in range(40)]
    for number, (name, _) in enumerate(rows):
        _image(tmp_path / name, number)

    def write(mended: dict[str, str]) -> None:
        lines = [f"{name},{mended.get(name, label)}" for name, label in rows]
        (tmp_path / "t.csv").write_text("\n".join(["path,label", *lines]))

    write({})
    spec = _study(tmp_path, tmp_path / "t.csv")
    plan = plan_ingest(spec.target.data)
    ingest(plan, copy_of(spec, "target"), inspected(plan))
    name = next(row["id"] for row in plan.listing.to_pylist() if row["split"] == "train")
    write({name: "b" if dict(rows)[name] == "a" else "a"})
    [line] = data_warnings(spec)
    assert line == (
        f"target: {tmp_path}/t.csv has changed since the study ingested it: "
        f"images: 1 with another label (first: {name}). {_COPY}"
    )


def test_a_study_with_its_copy_needs_the_data_no_more(begun: StudySpec, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "pets")
    assert look(begun) == {"target": Size(2, num_train=210, num_val=45, num_test=45)}
    assert at_hand(begun, "target", begun.target.data) == copy_of(begun, "target").uri
    [line] = data_warnings(begun)
    assert line.startswith(f"target: {tmp_path}/pets is not what the study ingested of it ({tmp_path}/pets: must be a")
    assert line.endswith(f"but got nothing there. Known: runs). {_COPY}")


def test_an_ingested_data_set_that_was_replaced_is_refused(begun: StudySpec, tmp_path: Path) -> None:
    shutil.copytree(copy_of(begun, "target").path, tmp_path / "set")
    spec = _study(tmp_path / "other", tmp_path / "set")
    folder = Folder.open(spec.storage) / spec.name
    folder.write_json(PROVENANCE, {"data_fingerprints": {"target": "0123456789abcdef"}})
    with pytest.raises(TranslearnError) as error:
        look(spec)
    now = str(error.value).split("but got ")[1][:12]
    assert str(error.value) == (
        "target: data: must be the data set that the study began with (0123456789ab), "
        f"but got {now}. Put it back, or give the study another name."
    )
