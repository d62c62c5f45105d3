"""Model directories: round trips, and directories that are unfinished or damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from translearn.errors import WeightsError
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import ModelInfo, TaskErrors
from translearn.models.preprocessing import Preprocessing
from translearn.storage.folder import Folder

STATE = {"conv.weight": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)}
PREPROCESSING = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))


def _info(classes: tuple[str, ...] = ("cat", "dog")) -> ModelInfo:
    errors = TaskErrors(validation=0.25)
    return ModelInfo(
        arch="resnet18",
        classes=classes,
        preprocessing=PREPROCESSING,
        errors=errors,
        provenance={"seed": 3, "data": None},
    )


def _saved(tmp_path: Path) -> Folder:
    folder = Folder.open(tmp_path / "model")
    save_model(folder, STATE, _info())
    return folder


def test_a_model_survives_its_directory(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    state, info = load_model(folder)
    assert info == _info()
    assert state.keys() == STATE.keys()
    assert torch.equal(state["conv.weight"], STATE["conv.weight"])
    assert folder.names() == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_is_not_finite_is_not_written(tmp_path: Path, value: float) -> None:
    folder = _saved(tmp_path)
    bad = {**STATE, "conv.bias": torch.tensor([0.0, value]), "count": torch.tensor(3)}
    with pytest.raises(WeightsError) as error:
        save_model(folder, bad, _info())
    assert str(error.value) == (
        f"{folder.address('model.safetensors')}: a model that is written must hold finite numbers only, but got NaN or "
        "infinity in conv.bias. Train it with a lower learning rate."
    )
    assert torch.equal(load_model(folder)[0]["conv.weight"], STATE["conv.weight"])


@settings(max_examples=30, deadline=None)
@given(classes=st.lists(st.text(max_size=30), min_size=1, max_size=4).map(tuple))
def test_any_class_name_is_data(tmp_path_factory: pytest.TempPathFactory, classes: tuple[str, ...]) -> None:
    folder = Folder.open(tmp_path_factory.mktemp("model"))
    save_model(folder, STATE, _info(classes))
    assert load_model(folder)[1].classes == classes


def test_hostile_class_names_are_data(tmp_path: Path) -> None:
    classes = ("<script>alert(1)</script>", "../../etc", 'a"b\\c\n', "\x00", "‮drow", "{{ 7 * 7 }}", "")
    folder = Folder.open(tmp_path)
    save_model(folder, STATE, _info(classes))
    assert load_model(folder)[1].classes == classes


def test_a_directory_without_its_marker_is_no_model(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    folder.remove_file("model.json")
    with pytest.raises(WeightsError) as raised:
        load_model(folder)
    assert str(raised.value) == (
        f"{folder.uri}: must be a finished model directory, but got no readable model.json. "
        "Let its training finish, or give another directory."
    )


def test_a_directory_without_its_tensors_is_no_model(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    folder.remove_file("model.safetensors")
    with pytest.raises(WeightsError, match=r"but got no readable model\.safetensors"):
        load_model(folder)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    content = bytearray(folder.read_bytes("model.safetensors"))
    content[-1] ^= 1
    folder.write_bytes("model.safetensors", bytes(content))
    with pytest.raises(
        WeightsError, match=r"model\.safetensors: must have the SHA-256 in model\.json, \w{12}…, but got"
    ):
        load_model(folder)


def test_an_interrupted_save_does_not_pass_for_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _saved(tmp_path)

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Folder, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        save_model(folder, STATE, _info())
    assert not folder.exists("model.json")


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("classes", "cat", "info.classes: Input should be a valid"),
        ("surprise", 1, "info.surprise: Extra inputs are not permitted"),
    ],
)
def test_a_marker_that_describes_no_model_is_refused(tmp_path: Path, key: str, value: object, fault: str) -> None:
    folder = _saved(tmp_path)
    marker = folder.read_json("model.json")
    marker["info"][key] = value
    folder.write_json("model.json", marker)
    with pytest.raises(WeightsError) as raised:
        load_model(folder)
    assert f"{folder.uri}/model.json: must describe a model, but got something else ({fault}" in str(raised.value)


def test_a_marker_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    folder.write_bytes("model.json", b"{")
    with pytest.raises(WeightsError, match="must describe a model, but got something else"):
        load_model(folder)


def test_an_error_is_a_share() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        TaskErrors(test=12.5)


def test_the_marker_is_readable_by_others(tmp_path: Path) -> None:
    _saved(tmp_path)
    marker = json.loads((tmp_path / "model" / "model.json").read_text())
    assert marker["info"]["classes"] == ["cat", "dog"]
    assert marker["info"]["preprocessing"]["image_size"] == 64
