"""The examples of docs/use.md run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from sources import image, write_files

import translearn
from translearn.cli import main
from translearn.models.model_dir import save_model
from translearn.models.model_info import read_info
from translearn.models.network import build
from translearn.storage.folder import Folder

PAGE = (Path(__file__).parents[2] / "docs" / "use.md").read_text()


@pytest.fixture
def place(model_path, tmp_path, monkeypatch):
    """A folder with the page's study and photos."""
    shutil.copytree(model_path, tmp_path / "runs" / "pets" / "model")
    folder = Folder.open(tmp_path / "runs" / "pets" / "model")
    info = read_info(folder).model_copy(update={"classes": ("cat", "dog")})
    save_model(folder, build("resnet18", 2, seed=0).state_dict(), info)
    write_files(tmp_path, {"photos/a.jpg": image(1), "photos/b.png": image(2)})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_page_run(place, capsys):
    commands = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    for command in commands:
        if command.startswith("translearn predict"):
            assert main(shlex.split(command)[1:]) == 0
    assert len((place / "predictions.csv").read_text().splitlines()) == 3
    names: dict = {"dataset": SimpleNamespace(classes=["dog", "cat"], targets=[0, 0, 1])}  # an ImageFolder's
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        if "onnxruntime" in block:  # a test below
            continue
        exec(compile(block, "docs/use.md", "exec"), names)
    assert len(names["frame"]) == 2
    assert names["labels"] == [1, 1, 0]
    assert "('cat', " in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_an_onnx_file_runs(place):
    pytest.importorskip("onnx")
    [command] = re.findall(r"^translearn export .*", PAGE, re.M)
    assert main([*shlex.split(command)[1:], "--check", "photos"]) == 0
    [block] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "onnxruntime" in block]
    names: dict = {"model": translearn.load_model("runs/pets/model")}
    exec(compile(block, "docs/use.md", "exec"), names)
    expected = names["model"].predict("photos/a.jpg").probabilities
    assert abs(names["probabilities"] - expected).max() < 1e-5
    assert names["classes"] == ["cat", "dog"]
