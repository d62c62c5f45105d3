"""What every architecture of the table promises, against torchvision's own model as the oracle."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import get_model

from translearn.config.archs import HEAD, STAGES, min_image_size, num_stages
from translearn.errors import InputError
from translearn.models.network import Network, build, skeleton

QUICK = ("resnet18", "resnet50", "mobilenet_v2", "vgg11_bn")
SLOW = [arch if arch in QUICK else pytest.param(arch, marks=pytest.mark.slow) for arch in STAGES]


@pytest.mark.parametrize("arch", SLOW)
def test_prefix_then_suffix_is_torchvisions_forward_bit_for_bit_at_every_depth(arch: str) -> None:
    model = get_model(arch, weights=None, num_classes=7).eval()
    network = Network(arch, model)
    network.eval()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(x)
        assert torch.equal(network(x), expected)
        for depth in range(num_stages(arch) + 1):
            output = network.prefix(depth)(x)
            before = output.clone()
            assert torch.equal(network.suffix(depth)(output), expected)
            assert torch.equal(output, before), "the suffix changes a tensor that others share"


@pytest.mark.parametrize("arch", STAGES)
def test_names_and_shapes_are_torchvisions(arch: str) -> None:
    with torch.device("meta"):
        model = get_model(arch, weights=None, num_classes=7)
    expected = {name: (t.shape, t.dtype) for name, t in model.state_dict().items()}
    assert {name: (t.shape, t.dtype) for name, t in skeleton(arch, 7).state_dict().items()} == expected


@pytest.mark.parametrize("arch", STAGES)
def test_every_parameter_and_buffer_is_in_exactly_one_stage(arch: str) -> None:
    network = skeleton(arch)
    ids = [id(module) for module in network.suffix(0).modules() if not list(module.children())]
    assert len(ids) == len(set(ids)), "a module runs in two places"
    for depth in range(num_stages(arch) + 1):
        prefix = {id(t) for t in (*network.prefix(depth).parameters(), *network.prefix(depth).buffers())}
        named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        for name, tensor in named.items():
            assert (network.stage_of(name) in network.stage_names[:depth]) == (id(tensor) in prefix), name
    assert {network.stage_of(name) for name in network.state_dict()} == {*network.stage_names, "head"}


@pytest.mark.parametrize("arch", STAGES)
def test_the_backbone_ends_in_flat_features_and_the_head_is_linear(arch: str) -> None:
    network = skeleton(arch, num_classes=7).eval()
    features = network.prefix(num_stages(arch))(torch.empty(2, 3, 64, 64, device="meta"))
    assert features.shape == (2, network.num_features)
    assert network.head is network.get_submodule(HEAD[arch][-1])
    assert network.head.out_features == 7


@pytest.mark.parametrize("arch", STAGES)
def test_the_least_image_size_is_the_least_that_passes(arch: str) -> None:
    network, least = skeleton(arch).eval(), min_image_size(arch)
    assert network(torch.empty(2, 3, least, least, device="meta")).shape == (2, 1)
    if least > 1:
        with pytest.raises(RuntimeError, match="Output size is too small"):
            network(torch.empty(2, 3, least - 1, least - 1, device="meta"))


def test_a_depth_out_of_range_is_refused() -> None:
    network = skeleton("resnet18")
    for depth in (-1, 6):
        rule = "freeze_depth: must be from 0 to 5, the number of stages in resnet18"
        with pytest.raises(InputError, match=f"^{rule}, but got {depth}. Use 5 for a linear probe.$"):
            network.prefix(depth)
        with pytest.raises(InputError, match=rule):
            network.suffix(depth)


def test_a_name_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(KeyError, match=r"resnet18 has no parameter or buffer 'layer9\.weight'"):
        skeleton("resnet18").stage_of("layer9.weight")


def test_build_is_a_function_of_the_seed_and_leaves_global_randomness_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second, other = (build("resnet18", 4, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
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
