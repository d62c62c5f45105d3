"""Checkpoints of trials: the best whole one of an actor keeps its tensors; where they fail nothing is left."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from ray import tune
from ray.tune.result import SHOULD_CHECKPOINT

from translearn.cluster.data.shared import Shared, Task
from translearn.cluster.resources import Resources
from translearn.cluster.training.checkpoints import load_state
from translearn.cluster.tuning import trainable
from translearn.cluster.tuning.space import search_space
from translearn.cluster.tuning.trainable import FineTune, TrialContext
from translearn.config import parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.errors import StorageError
from translearn.models.sources import initial_network, scratch

SPEC = parse_spec(
    {
        "name": "x",
        "target": {"data": "d", "image_size": 32},
        "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}],
        "search": {"epochs": 2},
        "train": {"batch_size": 4, "precision": "fp32"},
    }
)
CONFIG = {"source": "scratch", "freeze_depth": 0, "lr": 1e-3}


def images(num: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (num, 32, 32, 3)).astype(np.uint8)
    return ImageSet(pixels, np.arange(num) % 2, np.arange(num, dtype=np.uint64))


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> FineTune:
    """An actor of Tune, in this process."""
    task = Task(images(8), images(4), 2, {"scratch": scratch("resnet18")})
    monkeypatch.setattr(trainable, "fetch", lambda _: task)
    monkeypatch.setattr(trainable, "prepare_process", lambda _: None)
    monkeypatch.setattr(trainable, "log", lambda *_, **__: None)
    made = FineTune.__new__(FineTune)
    made._trial_info = None
    context = TrialContext(cast(Shared, None), SPEC, search_space(SPEC, task.sources), Resources(1, 0.0, 1, 1))
    made.setup(dict(CONFIG), context)
    return made


def rows(actor: FineTune) -> list[dict[str, Any]]:
    return [actor.step(), actor.step()]


def test_a_trial_keeps_its_tensors_where_it_is_whole_and_the_best_of_its_actor(
    actor: FineTune, tmp_path: Path, one_thread: None
) -> None:
    first = rows(actor)
    assert [row[SHOULD_CHECKPOINT] for row in first] == [False, True]
    actor.save_checkpoint(str(tmp_path))
    saved = load_state(tmp_path)
    assert saved
    network, _ = initial_network(scratch("resnet18"), 2, SPEC.seed, 32)
    assert set(saved["state"]) == {"epoch", "model"}  # no epoch follows, so there is nothing for the optimizer
    network.load_state_dict(saved["state"]["model"], strict=False)
    trained = actor._last.state()["model"] if actor._last else {}
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in trained.items())

    actor.reset_config(dict(CONFIG))  # the same again: no better
    again = rows(actor)
    assert [row["val_error"] for row in again] == [row["val_error"] for row in first]
    assert [row[SHOULD_CHECKPOINT] for row in again] == [False, False]

    actor.load_checkpoint(str(tmp_path))  # a driver that died before it wrote down the end
    assert [row["epoch"] for row in rows(actor)] == [1, 2]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), StorageError),
        (RuntimeError("Unable to set up cluster storage with:\nCheck the path."), StorageError),
        (RuntimeError("CUDA error: out of memory"), RuntimeError),
    ],
)
def test_a_checkpoint_that_cannot_be_kept_leaves_nothing_and_a_fault_of_the_storage_is_told_as_one(
    actor: FineTune, error: Exception, told: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_: FineTune, folder: str) -> None:
        Path(folder, "state.pt").write_bytes(b"x")
        raise error

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tune.Trainable, "save", save)
    with pytest.raises(told, match=str(error).splitlines()[-1].replace("[", r"\[")):
        actor.save()
    assert not list(tmp_path.iterdir())
