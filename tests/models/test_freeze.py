"""Freezing: the account, and that training really leaves the prefix as it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from translearn.errors import InputError
from translearn.models.backbones.stages import num_stages, stages
from translearn.models.freeze import freeze, freeze_account, parameter_groups, trained_state
from translearn.models.network import Network, build, skeleton

QUICK = ("resnet18", "mobilenet_v2", "timm/test_vit")
ARCHS_AND_DEPTHS = [(arch, depth) for arch in QUICK for depth in range(num_stages(arch) + 1)]


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _train_a_few_steps(network: Network, num: int = 3) -> None:
    optimizer = torch.optim.SGD(parameter_groups(network, weight_decay=0.1), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    for _ in range(num):
        x = torch.rand(4, 3, 32, 32, generator=generator)
        loss = nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2, 0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize(("arch", "depth"), ARCHS_AND_DEPTHS)
def test_each_parameter_and_buffer_is_exactly_one_of_frozen_and_trained(arch: str, depth: int) -> None:
    network = skeleton(arch)
    account = freeze(network, depth)
    assert sorted(account.frozen + account.trained) == sorted(network.state_dict())
    assert {network.stage_of(name) for name in account.frozen} == set(network.stage_names[:depth])
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learning == set(account.trained) & set(dict(network.named_parameters()))


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
@pytest.mark.parametrize("depth", range(6))
def test_steps_leave_the_prefix_bit_identical_and_move_all_else(arch: str, depth: int) -> None:
    network = build(arch, 3, seed=0)
    account = freeze(network, depth)
    before = _copy(network)
    network.eval()
    network.train()
    _train_a_few_steps(network)
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == set(account.trained)


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "depth"), [("vgg11_bn", 3), ("vgg11_bn", 6)])
def test_steps_leave_the_prefix_of_a_vgg_bit_identical(arch: str, depth: int) -> None:
    network = build(arch, 3, seed=0)
    account = freeze(network, depth)
    before = _copy(network)
    _train_a_few_steps(network, num=2)
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in account.frozen)


@settings(max_examples=25, deadline=None)
@given(depths=st.lists(st.integers(0, 5), min_size=1, max_size=4), arch=st.sampled_from(["resnet18", "mobilenet_v2"]))
def test_the_last_freeze_counts_whatever_came_before(depths: list[int], arch: str) -> None:
    network, fresh = skeleton(arch), skeleton(arch)
    accounts = [freeze(network, depth) for depth in depths]
    assert accounts[-1] == freeze(fresh, depths[-1])
    network.train()
    state = [(module.training, [p.requires_grad for p in module.parameters()]) for module in network.modules()]
    assert state == [(module.training, [p.requires_grad for p in module.parameters()]) for module in fresh.modules()]


@settings(max_examples=25, deadline=None)
@given(arch=st.sampled_from(QUICK), data=st.data())
def test_a_deeper_freeze_never_thaws(arch: str, data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, num_stages(arch))] * 2)))
    network = skeleton(arch)
    assert set(freeze_account(network, low).frozen) <= set(freeze_account(network, high).frozen)


def test_frozen_stages_stay_in_eval_mode_for_good() -> None:
    network = build("resnet18", 3, seed=0)
    freeze(network, 2)
    for toggle in (network.train, network.eval, network.train):
        toggle()
        frozen = (network.conv1, network.bn1, network.relu, network.maxpool, *network.layer1.modules())
        assert not any(module.training for module in frozen)
    assert all(module.training for module in network.layer2.modules())
    assert not network.bn1.training


def test_the_trained_state_restores_a_run_on_the_same_source() -> None:
    network, other = build("resnet18", 3, seed=0), build("resnet18", 3, seed=0)
    account = freeze(network, 3)
    _train_a_few_steps(network)
    state = trained_state(network, 3)
    assert tuple(state) == account.trained
    other.load_state_dict(state, strict=False)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_the_trained_state_is_a_copy() -> None:
    network = build("resnet18", 3, seed=0)
    state = trained_state(network, 5)
    with torch.no_grad():
        network.head.weight.zero_()
    assert state["fc.weight"].abs().sum() > 0


def test_weight_decay_spares_batchnorm_and_biases() -> None:
    network = skeleton("vgg11_bn")
    freeze(network, 2)
    decayed, spared = parameter_groups(network, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert all(names[id(parameter)].endswith(".weight") and parameter.ndim in (2, 4) for parameter in decayed["params"])
    assert {names[id(p)] for p in spared["params"]} >= {"features.9.weight", "features.9.bias", "classifier.6.bias"}
    assert len(decayed["params"]) + len(spared["params"]) == sum(p.requires_grad for p in network.parameters())


def test_weight_decay_spares_position_embeddings_and_tokens() -> None:
    network = skeleton("timm/test_vit")
    _, spared = parameter_groups(network, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {"pos_embed", "cls_token", "norm.weight"} <= {names[id(p)] for p in spared["params"]}


@pytest.mark.parametrize("arch", ["timm/test_vit", "timm/swin_tiny_patch4_window7_224", "timm/test_vit4"])
def test_weight_decay_spares_what_timm_names(arch: str) -> None:
    network = skeleton(arch)
    named = network.model.no_weight_decay()
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decayed, _ = parameter_groups(network, weight_decay=0.1)
    found = {names[id(p)] for p in decayed["params"]}
    assert named & set(names.values())
    assert not found & named
    assert not [name for name in found if name.endswith("bias")]


def test_rates_fall_by_layer_decay_from_the_head_to_the_input() -> None:
    network = skeleton("resnet18")
    freeze(network, 2)
    groups = parameter_groups(network, weight_decay=0.1, layer_decay=0.5)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    scales = {network.stage_of(names[id(p)]): group["lr_scale"] for group in groups for p in group["params"]}
    assert list(scales.items()) == [("head", 1.0), ("stage4", 0.5), ("stage3", 0.25), ("stage2", 0.125)]
    decays = {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}
    assert decays["fc.weight"] == decays["layer2.0.conv1.weight"] == 0.1
    assert decays["fc.bias"] == decays["layer2.0.bn1.weight"] == 0.0
    assert sum(len(group["params"]) for group in groups) == sum(p.requires_grad for p in network.parameters())


def test_a_depth_out_of_range_freezes_nothing() -> None:
    network = skeleton("resnet18")
    with pytest.raises(InputError, match="must be from 0 to 5, the number of stages in resnet18, but got 6"):
        freeze(network, 6)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_parameters_that_no_logit_depends_on_are_not_trained() -> None:
    network = skeleton("timm/efficientvim_m1")
    freeze(network, 0)
    assert [name for name, one in network.named_parameters() if not one.requires_grad] == ["weights"]


def test_stages_are_the_same_where_nothing_gets_a_gradient() -> None:
    with torch.inference_mode():
        stages.cache_clear()
        found = stages("shufflenet_v2_x0_5")
    stages.cache_clear()
    assert found == stages("shufflenet_v2_x0_5")
    assert found.unused == ()
