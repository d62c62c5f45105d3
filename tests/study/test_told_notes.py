"""What was left out of a data set is told by the commands that make it."""

from __future__ import annotations

import pytest
from sources import flat_folder, write_files

from translearn.data.ingest.ingest import IngestOptions, inspected
from translearn.storage.folder import Folder
from translearn.study.datasets import ingest
from translearn.study.datasets import prepare as data


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with label files and a bad image; no Ray is needed for so few."""
    for module in (data, ingest):
        monkeypatch.setattr(module, "inspected_in_parallel", inspected)
        monkeypatch.setattr(module, "show_quarantined", lambda *_: None)
    files = {"cat/1.json": b"{}", "dog/1.json": b"{}", "dog/bad.png": b"no image"}
    return str(write_files(flat_folder(tmp_path / "in"), files))


def expected(source: str) -> list[str]:
    bad = "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    return [
        f"{source}: files that are no images by their names (.json), passed over: 2 (first: cat/1.json)",
        f"{source}: bad images, left out (quarantine.parquet lists them): 1 (first: dog/bad.png {bad})",
    ]


def told(capsys: pytest.CaptureFixture, source: str) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{source}: ")]


def test_ingest_tells_what_was_left_out(source, tmp_path, capsys):
    ingest.run_ingest(source, str(tmp_path / "out"), IngestOptions(max_bad_fraction=0.5))
    assert told(capsys, source) == expected(source)


def test_a_study_that_ingests_its_target_tells_it_too(source, tmp_path, capsys):
    data.dataset_of(source, IngestOptions(max_bad_fraction=0.5), Folder.open(tmp_path / "own"))
    assert told(capsys, source) == expected(source)
