"""Loading a source: every parameter and buffer is loaded or reinitialised, or it is an error that says why."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translearn.errors import WeightsError
from translearn.models.load import load_source
from translearn.models.network import build


@pytest.fixture(scope="module")
def source() -> dict[str, Tensor]:
    """A resnet18 for 5 classes."""
    state = build("resnet18", 5, seed=1).state_dict()
    state["layer1.0.bn1.running_mean"].fill_(0.5)
    state["bn1.num_batches_tracked"].fill_(9)
    return dict(state)


def test_a_new_task_gets_the_sources_backbone_and_keeps_its_own_head(source: dict[str, Tensor]) -> None:
    network, fresh = build("resnet18", 3, seed=2), build("resnet18", 3, seed=2).state_dict()
    account = load_source(network, source)
    assert account.reinitialised == ("fc.weight", "fc.bias")
    assert sorted(account.loaded + account.reinitialised) == sorted(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, fresh[name] if name.startswith("fc.") else source[name]), name


def test_the_head_stays_with_its_own_task(source: dict[str, Tensor]) -> None:
    network = build("resnet18", 5, seed=2)
    account = load_source(network, source, keep_head=True)
    assert account.loaded == tuple(network.state_dict())
    assert account.reinitialised == ()
    assert torch.equal(network.head.weight, source["fc.weight"])


def test_a_head_of_other_size_does_not_fit_where_it_is_to_stay(source: dict[str, Tensor]) -> None:
    with pytest.raises(
        WeightsError, match=r"2 different: fc\.weight \(5, 512\) for \(3, 512\), fc\.bias \(5,\) for \(3,\)"
    ):
        load_source(build("resnet18", 3, seed=2), source, keep_head=True)


def test_a_backbone_without_head_or_step_counters_is_whole(source: dict[str, Tensor]) -> None:
    old = {name: t for name, t in source.items() if not name.startswith("fc.") and not name.endswith("_tracked")}
    network = build("resnet18", 3, seed=2)
    account = load_source(network, old)
    assert set(account.loaded) == set(old)
    assert {name for name in account.reinitialised if not name.startswith("fc.")} == {
        name for name in source if name.endswith("num_batches_tracked")
    }


def test_half_precision_weights_are_loaded_as_float32(source: dict[str, Tensor]) -> None:
    half = {name: t.bfloat16() if t.is_floating_point() else t for name, t in source.items()}
    network = build("resnet18", 3, seed=2)
    load_source(network, half)
    assert network.conv1.weight.dtype == torch.float32
    assert torch.equal(network.conv1.weight, source["conv1.weight"].bfloat16().float())


def test_misfits_are_shown_on_both_sides_and_nothing_is_loaded(source: dict[str, Tensor]) -> None:
    odd = {name: t for name, t in source.items() if not name.startswith("layer4.")} | {"conv9.weight": torch.zeros(1)}
    odd["bn1.weight"] = torch.zeros(32)
    odd["bn1.bias"] = torch.zeros(64, dtype=torch.int64)
    network = build("resnet18", 3, seed=2)
    before = network.conv1.weight.clone()
    with pytest.raises(WeightsError) as raised:
        load_source(network, odd, where="sources.birds")
    assert str(raised.value) == (
        "sources.birds: must fit resnet18, name by name, but got 25 missing: layer4.0.conv1.weight, "
        "layer4.0.bn1.weight, layer4.0.bn1.bias, layer4.0.bn1.running_mean, layer4.0.bn1.running_var and 20 more; "
        "1 unexpected: conv9.weight; 2 different: bn1.weight (32,) for (64,), "
        "bn1.bias torch.int64 for torch.float32. "
        "It must hold the whole backbone under torchvision's names; a head may be left out."
    )
    assert torch.equal(network.conv1.weight, before)


def test_weights_that_diverged_are_refused(source: dict[str, Tensor]) -> None:
    bad = {**source, "layer2.0.conv1.weight": torch.full((128, 64, 3, 3), torch.nan)}
    with pytest.raises(WeightsError, match=r"finite numbers only, but got NaN or infinity in layer2\.0\.conv1\.weight"):
        load_source(build("resnet18", 3, seed=2), bad)
