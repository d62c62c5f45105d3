"""Features of a source: those of the plain forward pass, at every stage; a head trained on given ones is the same."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from loop_cases import config, curve, images, source
from torch import nn

from translearn.data.transforms import to_input
from translearn.models.network import Network, build
from translearn.models.preprocessing import IMAGENET, Normalisation
from translearn.training import inference
from translearn.training.distributed import DistributedContext
from translearn.training.features import ProbeFeatures, probe_features, stage_features
from translearn.training.loop import fine_tune

CPU = torch.device("cpu")
TRAIN, VAL = images(14), images(7, seed=1)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "BATCH_SIZE", 4)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_stage_features_are_the_means_of_each_stage_and_probabilities_those_of_the_network(arch: str) -> None:
    network = source() if arch == "resnet18" else build(arch, 3, 0)
    found, probabilities = stage_features(network, TRAIN, has_head=True, precision="fp32", device=CPU)
    assert list(found) == [1, 2, 3, 4, 5]
    x = to_input(torch.from_numpy(TRAIN.images))
    with torch.no_grad():
        for depth, features in found.items():
            means = network.outputs(x)[0][depth - 1]
            np.testing.assert_allclose(features, means.numpy(), rtol=1e-4, atol=1e-5)
            assert features.dtype == np.float32
        np.testing.assert_allclose(probabilities, network(x).softmax(1).numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_every_image_runs_once_through_every_stage() -> None:
    network, seen = source(), []
    for name in ("layer1", "layer4"):
        network.get_submodule(name).register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    _, probabilities = stage_features(network, TRAIN, has_head=False, precision="fp32", device=CPU)
    assert seen == [4, 4, 4, 4, 4, 4, 2, 2]
    assert probabilities is None


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_probe_features_are_the_last_stages(precision: str) -> None:
    network = source()
    network.train()
    found = probe_features(network, TRAIN, precision, DistributedContext())
    stages, _ = stage_features(source(), TRAIN, has_head=False, precision=precision, device=CPU)
    assert torch.equal(found, torch.from_numpy(stages[5]))


def probe_network(arch: str) -> Network:
    return source() if arch == "resnet18" else build(arch, 3, 0)


@pytest.mark.parametrize(
    ("arch", "train"),
    [
        ("resnet18", {}),
        ("resnet18", {"precision": "bf16", "optimizer": "adamw"}),
        ("mobilenet_v2", {}),  # its head has dropout
    ],
)
def test_a_head_trained_on_given_features_has_the_bits_of_one_that_computes_them(
    arch: str, train: dict[str, Any]
) -> None:
    settings = config(len(probe_network(arch).stage_names), lr=0.05, batch_size=4, augment="none", **train)
    precision = settings.train.precision
    given = ProbeFeatures(
        *(probe_features(probe_network(arch), split, precision, DistributedContext()) for split in (TRAIN, VAL))
    )
    computing, reading = probe_network(arch), probe_network(arch)
    rows = curve(computing, TRAIN, VAL, settings)
    assert curve(reading, TRAIN, VAL, settings, features=given) == rows
    assert all(torch.equal(a, b) for a, b in zip(computing.parameters(), reading.parameters(), strict=True))
    state = next(fine_tune(probe_network(arch), TRAIN, VAL, settings)).state()
    assert curve(probe_network(arch), TRAIN, VAL, settings, state=state, features=given) == rows[1:]


def test_weights_of_pixels_between_0_and_1_are_worth_the_same_weights_of_normalised_ones() -> None:
    """One function, written both ways: patches have no padding, so the first layer can take mean and std in."""
    network = build("timm/test_vit", 3, 0, image_size=32)
    plain = copy.deepcopy(network)
    plain.normalisation = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
    first = plain.get_submodule("patch_embed.proj")
    with torch.no_grad():
        first.bias -= (first.weight * mean / std).sum((1, 2, 3))
        first.weight /= std
    settings = config(len(network.stage_names), lr=0.05, augment="none")
    rows, others = (curve(one, TRAIN, VAL, settings) for one in (network, plain))
    np.testing.assert_allclose(rows, others, rtol=1e-4, atol=1e-4)


def test_a_head_sees_each_image_once_in_a_run_without_augmentation() -> None:
    network, seen = source(), []
    network.get_submodule("layer1").register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    curve(network, TRAIN, VAL, config(5, epochs=3, augment="none"))
    assert sum(seen) == len(TRAIN) + len(VAL)


def test_a_linear_probe_with_augmentation_sees_each_validation_image_once_and_tells_the_networks_error() -> None:
    network, seen = copy.deepcopy(source()), []
    network.get_submodule("conv1").register_forward_hook(
        lambda module, given, _: seen.append(len(given[0])) if not network.fc.training else None
    )
    *_, last = fine_tune(network, TRAIN, VAL, config(5, epochs=3, augment="crop"))
    assert sum(seen) == len(VAL)
    with torch.no_grad():
        z = network.eval()(to_input(torch.from_numpy(VAL.images)))
        assert last.val_loss == pytest.approx(
            float(nn.functional.cross_entropy(z, torch.from_numpy(VAL.labels))), rel=1e-5
        )
        assert last.val_error == np.mean(z.argmax(1).numpy() != VAL.labels)


@pytest.mark.parametrize(
    "changes",
    [
        {"freeze_depth": 5, "augment": "crop"},
        {"freeze_depth": 4, "augment": "none"},
        *({"freeze_depth": 5, "augment": "none", name: 0.5} for name in ("erasing", "mixup", "cutmix")),
    ],
)
def test_other_runs_ignore_features_of_images_that_they_change_or_train_more_than_the_head_on(
    changes: dict[str, Any],
) -> None:
    none = torch.full((14, 512), torch.nan)
    val = probe_features(source(), VAL, "fp32", DistributedContext()) if changes["freeze_depth"] == 5 else none[:7]
    wrong = ProbeFeatures(none, val)
    settings = config(epochs=1, **changes)
    assert curve(source(), TRAIN, VAL, settings, features=wrong) == curve(source(), TRAIN, VAL, settings)
