"""The model of a study that has not ended: replaced by a better one alone, and never half written."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from deploy_cases import made_model

import translearn
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import ModelInfo, TaskErrors, read_info
from translearn.storage.folder import Folder
from translearn.study import models
from translearn.study.unfinished import early_model
from translearn.study.unfinished.early_model import offer


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, torch.Tensor], ModelInfo]:
    """A model's tensors and description; what is said is left out."""
    monkeypatch.setattr(early_model, "say", lambda _: None)
    return load_model(Folder.open(made_model(tmp_path / "made")))


def described(info: ModelInfo, error: float, what: str) -> ModelInfo:
    provenance = {"study": "pets", "translearn": "0", "step": "rank", "what": what}
    return info.model_copy(update={"errors": TaskErrors(validation=error), "provenance": provenance})


def test_a_model_is_replaced_by_one_of_lower_validation_error_alone(
    tmp_path: Path, made: tuple[dict[str, torch.Tensor], ModelInfo]
) -> None:
    (state, info), study, made_states = made, Folder.open(tmp_path / "study"), list[str]()

    def give(name: str) -> Any:
        return lambda: made_states.append(name) or state

    for error, what in ((0.3, "linear probe of a"), (0.3, "equal"), (0.4, "worse"), (0.2, "trial t"), (0.25, "worse")):
        offer(study, described(info, error, what), give(what))
    assert made_states == ["linear probe of a", "trial t"]  # the tensors of others are not even read
    kept = read_info(study / "model")
    assert (kept.errors.validation, kept.provenance["what"]) == (0.2, "trial t")
    assert {path.name for path in (tmp_path / "study" / "model").iterdir()} == {
        *("model.json", "model.safetensors", "labels.txt", "README.md"),
    }
    card = (tmp_path / "study" / "model" / "README.md").read_text()
    assert "was going on: trial t. Its error\non validation is 20.0 %." in card
    assert translearn.load_model(tmp_path / "study").classes == info.classes


def test_ctrl_c_in_the_middle_of_a_write_leaves_the_whole_model(
    tmp_path: Path, made: tuple[dict[str, torch.Tensor], ModelInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    (state, info), study = made, Folder.open(tmp_path / "study")
    offer(study, described(info, 0.3, "first"), lambda: state)

    def slowly(*args: Any) -> None:
        assert not (study / "model").exists("model.json")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.2)
        save_model(*args)

    monkeypatch.setattr(models, "save_model", slowly)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            offer(study, described(info, 0.2, "second"), lambda: state)
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_model(study / "model")[1].provenance["what"] == "second"
