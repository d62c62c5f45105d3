"""What every family of backbones promises, on random weights and small images.

Ordinary runs take a convolutional network, one of timm's with activations inside its norms, a transformer, and one that
gets a linear layer in place of its own head; slow ones a small one of each of torchvision's and timm's families.
"""

from __future__ import annotations

import copy
import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from loop_cases import NUM_CLASSES, config, curve, images
from shape_cases import Shape, Workers, trained, workers

import translearn
from translearn.data.transforms import to_input
from translearn.models.backbones.backbone import names, native_size
from translearn.models.backbones.catalogue import catalogue
from translearn.models.backbones.drop_path import drop_paths
from translearn.models.backbones.faults import takes
from translearn.models.backbones.stages import num_stages
from translearn.models.freeze import freeze
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import Network, build, skeleton
from translearn.models.preprocessing import IMAGENET, Preprocessing, with_steps
from translearn.storage.folder import Folder
from translearn.training import loop, step
from translearn.training.distributed import DistributedContext
from translearn.training.features import probe_features, stage_features
from translearn.training.inference import probabilities
from translearn.training.loop import fine_tune

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
QUICK = ("resnet18", "timm/test_efficientnet", "timm/test_vit", "timm/dla46_c")
SMALLEST = (
    *(
        "resnext50_32x4d",
        "wide_resnet50_2",
        "vgg11",
        "vgg11_bn",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "efficientnet_b0",
    ),
    *("efficientnet_v2_s", "convnext_tiny", "regnet_y_400mf", "densenet121", "swin_t", "vit_b_16", "maxvit_t"),
    *("shufflenet_v2_x0_5", "mnasnet0_5", "googlenet", "inception_v3", "alexnet", "squeezenet1_1"),
)
SMALLEST_OF_TIMM = (
    *("vit_small_patch14_dinov2", "eva02_tiny_patch14_224", "mobilenetv3_small_050", "regnetx_002", "vgg11"),
    *("swin_tiny_patch4_window7_224", "densenet121", "ghostnet_050", "test_byobnet", "test_coatnet", "test_convnext"),
    *("test_convnext2", "test_convnext3", "test_efficientnet_evos", "test_efficientnet_gn", "test_efficientnet_ln"),
    *("test_mambaout", "test_maxvit", "test_nfnet", "test_resnet", "test_vit2", "test_vit3", "test_vit4"),
    *("test_vit_relpos", "rdnet_tiny"),
    # Those that get a linear layer in place of their own head: convolutions, two heads or more, or none.
    *("resnetv2_18", "dpn48b", "crossvit_tiny_240", "deit_tiny_distilled_patch16_224", "efficientformer_l1"),
    *("efficientformerv2_s0", "efficientvim_m1", "efficientvim_m1_dist", "iformer_m_distilled", "levit_128s"),
    *("levit_conv_128s", "pit_ti_distilled_224", "repvit_m0_9", "resnet50_clip", "swiftformer_xs", "volo_d1_224"),
    "qwen3_vit_88m_enc",
)
OTHERS = (*SMALLEST, *(f"timm/{name}" for name in SMALLEST_OF_TIMM))
FAMILIES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]


def size_of(arch: str) -> int:
    """The least usual size that the backbone takes."""
    return next(size for size in (32, 64, 96, 112, 128, native_size(arch)) if takes(arch, size))


def network_of(arch: str) -> Network:
    return build(arch, NUM_CLASSES, 0, size_of(arch))


@pytest.mark.parametrize("arch", FAMILIES)
def test_each_parameter_and_buffer_is_frozen_or_trained_and_deeper_is_more(arch: str) -> None:
    network, before = skeleton(arch), -1
    for depth in range(num_stages(arch) + 1):
        account = freeze(network, depth)
        assert sorted(account.frozen + account.trained) == sorted(network.state_dict())
        assert len(account.frozen) > before
        before = len(account.frozen)


@pytest.mark.parametrize("arch", FAMILIES)
def test_frozen_stages_are_bit_equal_after_training_at_every_depth(arch: str) -> None:
    size, network = size_of(arch), network_of(arch)
    train, val, head = images(4, size=size), images(2, 1, size), f"{network.stages.head[-1]}.weight"
    for depth in range(num_stages(arch) + 1):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        list(fine_tune(network, train, val, config(depth, lr=1e-3, epochs=1, batch_size=4)))
        after = network.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in freeze(network, depth).frozen), depth
        assert not torch.equal(after[head], before[head])


@pytest.mark.parametrize("arch", FAMILIES)
def test_a_head_learns_from_probe_features_what_it_learns_through_the_network(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, reading = size_of(arch), network_of(arch)
    through = copy.deepcopy(reading)
    settings = config(num_stages(arch), lr=0.01, epochs=2, batch_size=4, augment="none")
    rows = curve(reading, images(7, size=size), images(3, 1, size), settings)
    for module in (loop, step):
        monkeypatch.setattr(module, "reads_features", lambda *_: False)
    np.testing.assert_allclose(curve(through, images(7, size=size), images(3, 1, size), settings), rows, rtol=1e-3)
    torch.testing.assert_close(through.head.weight, reading.head.weight, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("arch", FAMILIES)
def test_stage_features_have_the_announced_widths_and_the_last_are_what_the_head_learns_from(arch: str) -> None:
    data, network = images(4, size=size_of(arch)), network_of(arch)
    found, decided = stage_features(network, data, has_head=True, precision="fp32", device=CPU)
    assert {depth: features.shape[1] for depth, features in found.items()} == dict(
        enumerate(network.stages.widths.values(), start=1)
    )
    probe = probe_features(network, data, "fp32", DistributedContext())
    assert np.array_equal(found[num_stages(arch)], probe.numpy())
    with torch.no_grad():
        logits = network(to_input(torch.from_numpy(data.images)))
        torch.testing.assert_close(network.classifier.eval()(probe), logits)
    np.testing.assert_allclose(decided, logits.double().softmax(1).numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("arch", FAMILIES)
def test_a_model_that_was_saved_predicts_what_it_did(arch: str, tmp_path: Path) -> None:
    size = size_of(arch)
    network, data = network_of(arch), images(3, size=size)
    fields = Preprocessing(image_size=size, mean=IMAGENET.mean, std=IMAGENET.std, formats=("PNG",))
    info = ModelInfo(arch=arch, classes=("a", "b", "c"), preprocessing=with_steps(fields))
    save_model(Folder.open(tmp_path), network.state_dict(), info)
    expected = probabilities(network, data, "fp32", CPU)
    found = translearn.load_model(tmp_path, device="cpu").probabilities(data.images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def team() -> Iterator[Workers]:
    with workers() as found:
        yield found


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("arch", [*QUICK, *OTHERS])
def test_two_workers_agree_with_one(arch: str, team: Workers, tmp_path: Path) -> None:
    """With dropout and stochastic depth, where a backbone has them; in float64, for which VGG needs 15 GB."""
    drop_path = 0.3 if drop_paths(arch) else None
    shape = Shape(arch, image_size=size_of(arch), batch_size=5, drop_path=drop_path)
    loss, changes = team.trained(shape, 2, tmp_path)
    expected, alone = trained(shape)
    assert loss == pytest.approx(expected, abs=1e-5)  # losses are computed in fp32
    for name, change in alone.items():
        torch.testing.assert_close(changes[name], change, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("letter", string.ascii_lowercase)
def test_every_backbone_has_stages(letter: str) -> None:
    for arch in names():
        if not arch.rpartition("/")[2].startswith(letter):
            continue
        (entry,) = catalogue(f"[{arch[0]}]{arch[1:]}")  # a pattern that fits this name alone
        network = skeleton(arch)
        assert not entry.reason
        assert 2 <= (entry.num_stages or 0) <= 6, arch
        assert {network.stage_of(name) for name in network.state_dict()} == {*network.stage_names, "head"}, arch
