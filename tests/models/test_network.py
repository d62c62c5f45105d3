"""A backbone is its library's own model, under the model's names, as stages and a head."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from translearn.cli import main
from translearn.errors import InputError, WeightsError
from translearn.models.backbones.backbone import names
from translearn.models.backbones.faults import takes
from translearn.models.backbones.names import name_faults, written_names
from translearn.models.backbones.stages import create, num_stages, stages
from translearn.models.freeze import freeze
from translearn.models.load import load_source
from translearn.models.network import Network, build, skeleton

QUICK = ("resnet18", "mobilenet_v2", "timm/test_vit")


def same_bits(first: nn.Module, second: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("arch", ["resnet18", "timm/test_vit"])
def test_a_network_is_its_librarys_model_bit_for_bit_and_copies_are_whole(arch: str) -> None:
    model = create(arch, num_classes=7).eval()
    network = Network(arch, model).resize(32).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(x)
        assert torch.equal(network(x), expected)
        for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert torch.equal(other(x), expected)
            other.head.weight.zero_()
            assert not torch.equal(other(x), expected)
        assert torch.equal(network(x), expected)


@pytest.mark.parametrize("arch", QUICK)
def test_names_and_shapes_are_the_librarys_and_each_is_in_one_stage(arch: str) -> None:
    with torch.device("meta"):
        model = create(arch, num_classes=7)
    network = skeleton(arch, 7)
    expected = {name: (t.shape, t.dtype) for name, t in model.state_dict().items()}
    assert {name: (t.shape, t.dtype) for name, t in network.state_dict().items()} == expected
    assert {network.stage_of(name) for name in network.state_dict()} == {*network.stage_names, "head"}
    assert [name for name in network.state_dict() if network.stage_of(name) == "head"] == [
        f"{stages(arch).head[-1]}.weight",
        f"{stages(arch).head[-1]}.bias",
    ]
    order = [network.stage_names.index(network.stage_of(name)) for name, _ in list(network.named_parameters())[:-2]]
    assert order == sorted(order)
    assert network.head.out_features == 7


def test_stages_begin_where_the_resolution_falls() -> None:
    starts = {
        stage: next(name for name in network.state_dict() if network.stage_of(name) == stage)
        for network in [skeleton("mobilenet_v2")]
        for stage in network.stage_names
    }
    assert starts == {
        "stem": "features.0.0.weight",
        "stage1": "features.2.conv.0.0.weight",
        "stage2": "features.4.conv.0.0.weight",
        "stage3": "features.7.conv.0.0.weight",
        "stage4": "features.14.conv.0.0.weight",
    }
    assert [num_stages(arch) for arch in ("resnet18", "vgg11_bn", "regnet_y_400mf")] == [5, 6, 5]


def test_stages_of_timm_begin_there_too_where_it_has_no_groups_of_its_own() -> None:
    found = stages("timm/rdnet_tiny")
    assert found.names == ("stem", "stage1", "stage2", "stage3")
    assert len({*found.widths.values()}) == 4


@pytest.mark.parametrize("arch", QUICK)
def test_outputs_are_the_stages_means_and_the_last_ones_are_what_the_head_takes(arch: str) -> None:
    network = build(arch, 3, 0, image_size=32).eval()
    with torch.no_grad():
        outputs, logits = network.outputs(x := torch.randn(2, 3, 32, 32))
        assert [output.shape for output in outputs] == [
            (2, network.stages.widths[name]) for name in network.stage_names
        ]
        torch.testing.assert_close(network.classifier(outputs[-1]), logits)
        assert torch.equal(network.features(x), outputs[-1])
    assert outputs[-1].shape[1] == network.num_features
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_resnets_stages_end_where_its_own_modules_do() -> None:
    network = build("resnet18", 3, 0).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        stem = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        expected = [stem]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            expected.append(network.get_submodule(name)(expected[-1]))
        for found, output in zip(network.outputs(x)[0], expected, strict=True):
            torch.testing.assert_close(found, output.mean((2, 3)))


def test_position_embeddings_follow_the_size_of_the_images() -> None:
    network = build("timm/test_vit", 3, 0, image_size=64)
    assert network.get_parameter("pos_embed").shape[1] == 1 + (64 // 16) ** 2
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 3)
    assert same_bits(network, copy.deepcopy(network).resize(64))


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["vit_b_16", "swin_t", "maxvit_t", "googlenet", "vgg11"])
def test_torchvisions_families_take_other_sizes_or_their_own(arch: str) -> None:
    size = 224 if arch == "maxvit_t" else 96
    network = build(arch, 3, 0, image_size=size).eval()
    with torch.no_grad():
        outputs, logits = network.outputs(torch.randn(1, 3, size, size))
    assert logits.shape == (1, 3)
    assert [output.shape[1] for output in outputs] == [network.stages.widths[name] for name in network.stage_names]


def test_a_depth_out_of_range_is_refused() -> None:
    network = skeleton("resnet18")
    for depth in (-1, 6):
        rule = "freeze_depth: must be from 0 to 5, the number of stages in resnet18"
        with pytest.raises(InputError, match=f"^{rule}, but got {depth}. Use 5 for a linear probe.$"):
            network.check_depth(depth)


@pytest.mark.parametrize(
    ("arch", "remedy"),
    [
        ("resnet81", "Did you mean 'resnet18'?"),
        ("timm/resnet81", "Did you mean 'timm/resnet18'?"),
        ("zzz", "`translearn backbones` lists them."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_one(arch: str, remedy: str) -> None:
    assert name_faults(arch) == [f"arch: must be a known backbone, but got {arch!r}. {remedy}"]
    with pytest.raises(WeightsError, match="must be a known backbone"):
        build(arch, 3, 0)


def test_the_names_are_known_without_importing_their_packages() -> None:
    assert sorted(written_names("torchvision") + written_names("timm")) == sorted(names())
    assert written_names("no_such_package") == ()


def test_a_model_that_a_program_has_registered_with_timm_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "list_models", lambda: ["mine"])
    assert name_faults("timm/mine") == []
    assert name_faults("timm/mines") != []


@pytest.mark.parametrize("arch", ["squeezenet1_1", "timm/dla46_c"])
def test_a_model_that_does_not_end_in_a_linear_layer_gets_one_on_its_features(arch: str) -> None:
    network, x = build(arch, 3, 0).eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = network.features(x)
        torch.testing.assert_close(network.get_submodule("linear_head")(features), network(x))
        library = timm.create_model("dla46_c") if "timm" in arch else torchvision.models.squeezenet1_1()
        loaded = library.load_state_dict(network.state_dict(), strict=False)
        if "timm" in arch:
            expected = library.eval().forward_head(library.forward_features(x), pre_logits=True).flatten(1)
        else:
            expected = library.eval().features(x).mean((2, 3))
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-3)  # of another memory format
    assert loaded.unexpected_keys == ["linear_head.weight", "linear_head.bias"]
    assert sorted(network.stages.left_out) == sorted(loaded.missing_keys)


def test_the_librarys_own_head_is_left_out_of_its_weights_where_a_linear_layer_takes_its_place() -> None:
    network, library = build("timm/dla46_c", 3, 0), timm.create_model("dla46_c")
    account = load_source(network, library.state_dict())
    assert account.reinitialised == ("linear_head.weight", "linear_head.bias")
    assert torch.equal(network.get_parameter("base_layer.0.weight"), library.base_layer[0].weight)


class _Other(nn.Module):
    def __init__(self, end: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.end = end

    def forward(self, x: torch.Tensor) -> Any:
        return self.end(x)


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (
            lambda x: x.flatten(1)[:, : int(x.sum().item())],
            "must run without memory, as {} does not, but got RuntimeError: ",
        ),
        (lambda x: x[:, 9], "must run without memory, as {} does not, but got IndexError: index 9 is out of bounds "),
        (lambda x: x.numpy(), "must run without memory, as {} does not, but got TypeError: can't convert meta device "),
        (lambda x: [x], "must give features, tokens or maps without classes, as {} does not, but got list."),
        (lambda x: x[:, :0], "must give features, tokens or maps without classes, as {} does not, but got (2, 0, "),
    ],
    ids=["counts", "other channels", "numpy", "lists", "nothing"],
)
def test_a_model_that_gives_no_features_is_refused_by_name(
    end: Callable[[torch.Tensor], Any],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: _Other(end))
    with pytest.raises(WeightsError) as raised:
        stages("timm/ese_vovnet57b")
    told = fault.format("timm/ese_vovnet57b")
    assert str(raised.value).startswith(f"arch: {told}")
    assert str(raised.value).endswith("Choose another; `translearn backbones` lists them.")
    assert main(["backbones", "timm/ese_vovnet57b"]) == 0
    assert f"can not be used: arch: {told}" in capsys.readouterr().out


def test_a_model_that_can_not_be_made_for_any_number_of_classes_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fixed(*_: object, **options: object) -> nn.Module:
        raise TypeError(f"unexpected: {sorted(options)}")

    monkeypatch.setattr(timm, "create_model", fixed)
    with pytest.raises(WeightsError) as raised:
        stages("timm/ese_vovnet39b")
    assert str(raised.value) == (
        "arch: must be made for 3 classes, as timm/ese_vovnet39b is not, but got TypeError: unexpected: "
        "['num_classes', 'pretrained']. Choose another; `translearn backbones` lists them."
    )


def test_dropout_before_an_added_head_belongs_to_it_and_is_on_in_a_linear_probe() -> None:
    network = skeleton("squeezenet1_1")
    assert network.stages.head == ("classifier.2", "linear_head")
    freeze(network, num_stages("squeezenet1_1"))
    assert network.get_submodule("classifier.2").training


def test_a_vision_transformer_takes_multiples_of_its_patches() -> None:
    assert [takes("vit_b_16", size) for size in (48, 50, 64)] == [True, False, True]


def test_a_name_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(KeyError, match=r"resnet18 has no parameter or buffer 'layer9\.weight'"):
        skeleton("resnet18").stage_of("layer9.weight")


def test_build_is_a_function_of_the_seed_and_leaves_global_randomness_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second, other = (build("resnet18", 4, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same_bits(first, second)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_head_depends_on_the_seed_and_its_shape_alone() -> None:
    assert torch.equal(build("resnet18", 4, 1).head.weight, build("resnet34", 4, 1).head.weight)


def test_fresh_convolutions_have_he_et_als_spread() -> None:
    weight = build("resnet18", 4, 0).get_parameter("layer4.1.conv2.weight")
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_build_gives_channels_last_memory_and_keeps_it() -> None:
    network = build("mobilenet_v2", 4, 0)
    weight = network.get_parameter("features.0.0.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    network.load_state_dict({name: t.contiguous() for name, t in network.state_dict().items()})
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_build_ignores_the_callers_default_device() -> None:
    with torch.device("meta"):
        assert build("resnet18", 4, 0).head.weight.device.type == "cpu"
