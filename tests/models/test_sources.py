"""Sources: obtained, verified, and turned into the networks that fine-tuning starts from."""

from __future__ import annotations

import argparse
import json
import pickle
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from translearn.config import SourceSpec
from translearn.errors import WeightsError
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo, TaskErrors
from translearn.models.network import build
from translearn.models.preprocessing import IMAGENET, Preprocessing
from translearn.models.sources import check_sources, from_model_dir, initial_network, obtain, scratch
from translearn.models.weights import fingerprint
from translearn.storage.folder import Folder

PREPROCESSING = Preprocessing(image_size=64, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in build("resnet18", 2, seed=9).state_dict().items()}


def _save(folder: Path, state: dict[str, Tensor], errors: TaskErrors | None = None) -> Folder:
    info = ModelInfo(
        arch="resnet18",
        classes=("robin", "wren"),
        preprocessing=PREPROCESSING,
        errors=errors or TaskErrors(validation=0.25, test=0.5),
        provenance={"data": "birds"},
    )
    save_model(Folder.open(folder), state, info)
    return Folder.open(folder)


def _spec(checkpoint: Path, arch: str = "resnet18") -> SourceSpec:
    return SourceSpec(name="birds", arch=arch, checkpoint=str(checkpoint))


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_checkpoint_file_becomes_a_source(tmp_path: Path, state: dict[str, Tensor], ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    if ending == "pth":
        torch.save({"state_dict": state}, file)
    else:
        save_file(state, file)
    source = obtain(_spec(file))
    assert (source.name, source.arch, source.kind) == ("birds", "resnet18", "checkpoint")
    assert (source.classes, source.source_error) == (None, None)
    assert source.fingerprint == fingerprint(state)
    prefix = "state_dict." if ending == "pth" else ""
    assert source.provenance == {"checkpoint": str(file), "prefix": prefix, "left_out": []}
    assert source.notes[-1] == "has a head of 2 classes, which a new one replaces on the target"
    assert source.notes[:-1] == (("takes the weights after 'state_dict.'",) if prefix else ())


def test_a_checkpoint_of_torchvisions_training_script_becomes_a_source(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    half = {name: one.half() if one.is_floating_point() else one for name, one in state.items()}
    averaged = {f"module.{name}": one for name, one in half.items()} | {"n_averaged": torch.tensor(3)}
    raw = {name: one + 1 for name, one in half.items()}
    content = {
        "model": raw,
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1).state_dict(),
        "lr_scheduler": {"milestones": Counter([30, 60]), "last_epoch": 89},
        "epoch": 89,
        "args": argparse.Namespace(model="resnet18", lr=0.1),
        "model_ema": averaged,
    }
    torch.save(content, tmp_path / "checkpoint.pth")
    source = obtain(_spec(tmp_path / "checkpoint.pth"))
    assert source.fingerprint == fingerprint(half)
    assert source.notes == (
        "takes the weights after 'model_ema.module.', averaged over training, not 'model.'",
        "leaves out model (122), model_ema.n_averaged, optimizer (1), lr_scheduler (2), epoch, args",
        "does not build collections.Counter, argparse.Namespace",
        "has a head of 2 classes, which a new one replaces on the target",
    )
    chosen = SourceSpec(name="raw", arch="resnet18", checkpoint=str(tmp_path / "checkpoint.pth"), prefix="model")
    assert obtain(chosen).fingerprint == fingerprint(raw)


def test_a_model_directory_becomes_a_source_that_knows_its_task(tmp_path: Path, state: dict[str, Tensor]) -> None:
    folder = _save(tmp_path, state)
    source = obtain(_spec(tmp_path))
    assert (source.kind, source.classes, source.source_error) == ("checkpoint", ("robin", "wren"), 0.5)
    assert source.provenance == {"checkpoint": folder.uri, "data": "birds"}
    assert source.normalisation == ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    pretrained = from_model_dir("birds", folder)
    assert (pretrained.kind, pretrained.fingerprint) == ("pretrain", fingerprint(state))


def test_a_checkpoint_has_the_normalisation_that_its_field_says(tmp_path: Path, state: dict[str, Tensor]) -> None:
    save_file(state, tmp_path / "a.safetensors")
    told = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    given = {"name": "birds", "arch": "resnet18", "checkpoint": str(tmp_path / "a.safetensors")}
    assert obtain(SourceSpec.model_validate(given)).normalisation == IMAGENET
    plain = SourceSpec.model_validate_json(json.dumps({**given, "preprocessing": told}))
    assert obtain(plain).normalisation == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_model_directory_is_not_told_what_it_says(tmp_path: Path, state: dict[str, Tensor]) -> None:
    _save(tmp_path, state)
    spec = SourceSpec(name="birds", arch="resnet18", checkpoint=str(tmp_path), prefix="model.")
    with pytest.raises(WeightsError) as raised:
        obtain(spec)
    assert str(raised.value) == (
        "sources.birds.prefix: must be left out of a directory with a model.json, but got 'model.'. "
        "Leave it out: the directory says it."
    )


def test_the_validation_error_stands_in_where_no_test_error_was_measured(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    assert from_model_dir("birds", _save(tmp_path, state, TaskErrors(validation=0.25))).source_error == 0.25


def test_torchvisions_weights_become_a_source(monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]) -> None:
    monkeypatch.setattr("translearn.models.sources.pretrained_state", lambda entry: state)
    source = obtain(SourceSpec(name="imagenet", arch="resnet18", weights="DEFAULT"))
    assert (source.kind, len(source.classes or ())) == ("weights", 1000)
    assert source.source_error == pytest.approx(0.30242)
    assert source.provenance["weights"] == "torchvision's ResNet18_Weights.IMAGENET1K_V1"
    assert (source.image_size, source.provenance["resize"], source.provenance["interpolation"]) == (
        224,
        256,
        "bilinear",
    )


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"^sources\.birds: must fit resnet34.*It fits resnet18 better"):
        obtain(_spec(tmp_path / "a.safetensors", arch="resnet34"))


def test_a_model_directory_of_another_architecture_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    folder = _save(tmp_path, state)
    with pytest.raises(WeightsError) as raised:
        obtain(_spec(tmp_path, arch="resnet34"))
    assert str(raised.value) == (
        f"sources.birds.arch: must be the architecture of {folder.uri}, resnet18, but got 'resnet34'. "
        "Set `arch: resnet18`."
    )


def test_every_fault_of_every_source_is_found_and_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    save_file(state, tmp_path / "a.safetensors")
    (tmp_path / "b.pth").write_bytes(b"nothing")
    specs = [
        SourceSpec(name="good", arch="resnet18", checkpoint=str(tmp_path / "a.safetensors")),
        SourceSpec(name="unfit", arch="resnet50", checkpoint=str(tmp_path / "a.safetensors")),
        SourceSpec(name="damaged", arch="resnet18", checkpoint=str(tmp_path / "b.pth")),
        SourceSpec(name="missing", arch="resnet18", checkpoint=str(tmp_path / "c.pth")),
        SourceSpec(name="folder", arch="resnet18", checkpoint=str(tmp_path)),
        SourceSpec(name="typo", arch="resnet18", weights="IMAGENET1K_V9"),
        SourceSpec(name="known", arch="resnet18", weights="IMAGENET1K_V1"),
    ]
    faults = check_sources(specs)
    assert [fault.split(":")[0] for fault in faults] == [
        f"sources.{name}" for name in ("unfit", "damaged", "missing", "folder", "typo")
    ]
    assert "model directory" in faults[3]
    assert "Did you mean 'IMAGENET1K_V1'?" in faults[4]


def test_the_network_of_a_source_has_its_backbone_and_a_seeded_head(tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = from_model_dir("birds", _save(tmp_path, state))
    (network, account), (again, _), (other, _) = (initial_network(source, 7, seed) for seed in (1, 1, 2))
    assert account.reinitialised == ("fc.weight", "fc.bias")
    assert all(torch.equal(network.state_dict()[name], state[name]) for name in account.loaded)
    assert torch.equal(network.head.weight, again.head.weight)
    assert not torch.equal(network.head.weight, other.head.weight)


def test_scratch_is_all_fresh_and_shares_the_head_of_its_rivals(tmp_path: Path, state: dict[str, Tensor]) -> None:
    network, account = initial_network(scratch("resnet18"), 7, seed=1)
    rival, _ = initial_network(from_model_dir("birds", _save(tmp_path, state)), 7, seed=1)
    assert account.loaded == ()
    assert account.reinitialised == tuple(network.state_dict())
    assert torch.equal(network.head.weight, rival.head.weight)
    assert not torch.equal(network.conv1.weight, rival.conv1.weight)


def test_a_source_crosses_processes(tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = from_model_dir("birds", _save(tmp_path, state))
    copy = pickle.loads(pickle.dumps(source))
    assert copy.state is not None
    assert fingerprint(copy.state) == source.fingerprint
