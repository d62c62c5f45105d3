"""The targets of a matrix: which are found, what they are called, and faults all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from history_cases import study
from PIL import Image

from translearn.config import StudySpec
from translearn.errors import InputError
from translearn.storage.folder import Folder
from translearn.study.matrix import matrix
from translearn.study.matrix.matrix import find_targets
from translearn.study.matrix.matrix_target import target_spec


def spec(tmp_path: Path) -> StudySpec:
    return study(trials=6, warm_start="auto").model_copy(update={"storage": str(tmp_path / "runs")})


def image_folder(folder: Path) -> None:
    for label in ("cat", "dog"):
        for split in ("train", "val", "test"):
            (folder / split / label).mkdir(parents=True)
            for index in range(2):
                Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / split / label / f"{index}.png")


def test_each_data_set_of_a_directory_is_a_target_and_the_rest_is_named(tmp_path: Path, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(matrix, "say", said.append)
    for name in ("pets", "wild animals"):
        image_folder(tmp_path / "sets" / name)
    (tmp_path / "sets" / "README.txt").write_text("what these are")
    found = find_targets(spec(tmp_path), str(tmp_path / "sets"), ["digits=sklearn:digits"])
    assert found == {
        "pets": f"{tmp_path}/sets/pets",
        "wild-animals": f"{tmp_path}/sets/wild animals",
        "digits": "sklearn:digits",
    }
    (line,) = said
    assert line.startswith(f"left out: {tmp_path}/sets/README.txt: ")


def test_faults_of_named_targets_come_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        find_targets(
            spec(tmp_path), None, ["a b=sklearn:digits", "x=/no/such/place", "d=sklearn:digits", "d=sklearn:digits"]
        )
    first, second, third = str(error.value).splitlines()
    assert first == (
        "--target: must be NAME=DATA, with letters, digits, '.', '_' and '-' in NAME, but got a b=sklearn:digits. "
        "For example digits=sklearn:digits."
    )
    assert second.startswith("--target x: target: ")
    assert third == "--target: must have another name than other targets, but got d. Rename it."


def test_without_any_data_set_there_is_no_matrix(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    with pytest.raises(InputError, match=r"--targets: must hold a data set, but got .*sets\. See docs/data\.md\."):
        find_targets(spec(tmp_path), str(tmp_path / "sets"), [])
    with pytest.raises(InputError, match=r"--targets: must be a directory, but got .*none\."):
        find_targets(spec(tmp_path), str(tmp_path / "none"), [])


def test_a_targets_study_prefers_no_source_and_learns_from_no_other_study(tmp_path: Path) -> None:
    whole = spec(tmp_path)
    found = target_spec(whole, Folder.open(tmp_path / "runs/new/matrix"), "digits", "sklearn:digits")
    assert (found.name, found.storage) == ("digits", str(tmp_path / "runs/new/matrix"))
    assert (found.search.prior, found.search.warm_start, found.search.trials) == ("off", "off", 6)
    assert found.target == whole.target.model_copy(update={"data": "sklearn:digits"})
    assert found.sources == whole.sources
