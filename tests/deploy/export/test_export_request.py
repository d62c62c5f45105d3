"""What ``translearn export`` refuses at once, and which images it checks a file on."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pyarrow.compute as pc
import pytest
import yaml
from sources import image, write_files

from translearn.deploy.export import request, samples
from translearn.deploy.export.request import check_export
from translearn.errors import InputError
from translearn.storage.folder import Folder

OUT = "model.onnx"


def test_every_fault_at_once_and_without_torch(tmp_path):
    code = (
        "import importlib.util, sys; from translearn.cli import main\n"
        "importlib.util.find_spec = lambda name: None\n"
        f"assert main(['export', 'gone', '--format', 'onnx', '--out', '{tmp_path}/model.pt']) == 2\n"
        "assert not {'torch', 'ray', 'torchvision', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "error: --format onnx: must find the packages onnx, onnxruntime, onnxscript, but got no onnx, no onnxruntime, "
        "no onnxscript. Run: pip install 'translearn[onnx]'.",
        f"{tmp_path}/gone: must be a finished model directory, but got no readable model.json. "
        "Let its training finish, or give another directory.",
        f"--out: must end in .onnx, but got '{tmp_path}/model.pt'. For example model.onnx.",
    ]


def test_other_faults(model_path, tmp_path):
    write_files(tmp_path, {"one/a.png": image(1), "model.pt": b""})
    with pytest.raises(InputError) as error:
        check_export(str(model_path), "torchscript", f"{tmp_path}/model.pt", "static")
    assert str(error.value).splitlines() == [
        "--int8: must go with --format onnx, but got --format torchscript. Leave it out.",
        f"--check: must name images to check the file on, as no study's data is beside {model_path}, but got none. "
        "Give --check FOLDER.",
        f"--out: must name a new file, but got {tmp_path}/model.pt, which exists. Name another file, or give "
        "--overwrite.",
    ]
    with pytest.raises(InputError) as error:
        check_export(str(model_path), "torchscript", f"{tmp_path}/model.pt", None, f"{tmp_path}/one", True)
    rule = "--check: must name two images at least, in a folder, a table or Parquet, but got 1 in "
    assert str(error.value).startswith(f"{rule}{tmp_path}/one. It may be image files, a folder")


def test_the_images_are_the_studys_validation_images(model_path, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    study = tmp_path / "pets"
    Folder.open(study / "model").write_bytes("model.json", (model_path / "model.json").read_bytes())
    (study / "spec.yaml").write_text(yaml.safe_dump({"target": {"data": dataset.uri}}))
    for place in (study, study / "model"):
        found = check_export(str(place), "onnx", str(tmp_path / OUT)).samples
        assert found.of == "validation images"
        assert pc.unique(found.checked["split"]).to_pylist() == ["val"]
        assert pc.unique(found.calibration["split"]).to_pylist() == ["train"]
        assert (len(found.checked), len(found.calibration)) == (9, 21)
        assert set(found.checked["label"].to_pylist()) == {"cat", "dog", "newt"}


def test_images_without_splits_are_drawn_in_turn(model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MOST_CHECKED", 4)
    write_files(tmp_path, {f"photos/{index:02d}.png": image(index) for index in range(16)})
    found = request.check_export(
        str(model_path), "torchscript", f"{tmp_path}/m.pt", check=str(tmp_path / "photos")
    ).samples
    assert found.of == "images"
    assert found.checked["id"].to_pylist() == ["00.png", "04.png", "08.png", "12.png"]
    assert found.calibration["id"].to_pylist() == [f"{index:02d}.png" for index in range(1, 16, 2)]
    assert set(found.checked["label"].to_pylist()) == {None}
