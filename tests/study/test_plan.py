"""The checks before a study, and the sample of a dry run: where they write."""

from __future__ import annotations

from pathlib import Path

from translearn.spec import StudySpec, parse_spec
from translearn.storage import Folder
from translearn.study.directory import nearest
from translearn.study.dry_run import tiny
from translearn.study.plan import Size, _storage_faults


def study(storage: Path) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return parse_spec(
        {"name": "pets", "storage": str(storage), "target": {"data": "sklearn:digits"}, "sources": [source]}
    )


def test_checking_the_storage_leaves_nothing_and_no_parent(tmp_path: Path) -> None:
    assert _storage_faults(study(tmp_path / "a" / "b")) == []
    assert list(tmp_path.iterdir()) == []


def test_storage_below_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (line,) = _storage_faults(study(tmp_path / "file" / "runs"))
    assert line.startswith("storage: ")
    assert "cannot be written" in line


def test_the_nearest_place_is_the_storage_itself_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert nearest(str(tmp_path / "runs")) == Folder.open(tmp_path / "runs")
    assert nearest(str(tmp_path / "runs" / "a" / "b")) == Folder.open(tmp_path / "runs")


def test_a_sample_lies_in_the_storage_that_all_nodes_reach_under_a_name_of_its_own(tmp_path: Path) -> None:
    spec = study(tmp_path / "runs")
    first, second = (tiny(spec, {"target": Size(10, 100)}) for _ in range(2))
    assert first.storage == str(tmp_path)
    assert len({spec.name, first.name, second.name}) == 3
    (tmp_path / "runs").mkdir()
    assert tiny(spec, {"target": Size(10, 100)}).storage == str(tmp_path / "runs")
