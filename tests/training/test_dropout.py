"""Dropout and stochastic depth: masks depend on (seed, epoch, example, layer) alone, and drop what they should."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from loop_cases import NUM_CLASSES, config, curve, figures, images
from test_seeds import MASK, mix, splitmix
from torch import nn
from torchvision.ops import StochasticDepth

from translearn.models.freeze import freeze
from translearn.models.network import Network, build
from translearn.seeds import GOLDEN, derive_seed, example_key
from translearn.training.dropout import Draws, ExampleDropout, Kind, drop_by_example
from translearn.training.loop import fine_tune

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
KEYS = np.array([example_key(str(index)) for index in range(6)], dtype=np.uint64)


def begun(keys: np.ndarray, seed: int = 3, epoch: int = 1, step: int = 0) -> Draws:
    draws = Draws()
    draws.begin(keys, step, seed, epoch, CPU)
    return draws


def test_each_layer_draws_from_splitmix64_of_each_example() -> None:
    draws, seed = begun(KEYS, seed=3, epoch=2), derive_seed(3, "dropout", 2)
    for layer in (1, 2):
        found = draws.kept((6, 2, 5), 0.3)
        for key, kept in zip(KEYS.tolist(), found, strict=True):
            state = mix(mix(key ^ mix(seed)) + layer * GOLDEN & MASK)
            assert kept.flatten().tolist() == [(x >> 11) * 2.0**-53 >= 0.3 for x in splitmix(state, 10)]


def test_seed_epoch_example_and_layer_each_matter_and_the_company_does_not() -> None:
    first = begun(KEYS).kept((6, 64), 0.5)
    again = begun(KEYS)
    assert torch.equal(again.kept((6, 64), 0.5), first)
    others = [again, begun(KEYS, seed=4), begun(KEYS, epoch=2), begun(KEYS + np.uint64(1))]
    assert not any(torch.equal(other.kept((6, 64), 0.5), first) for other in others)
    rows = np.array([4, 1, 1])
    assert torch.equal(begun(KEYS[rows]).kept((3, 64), 0.5), first[rows])


def test_what_belongs_to_no_example_is_drawn_by_the_step() -> None:
    first = begun(KEYS).kept((3, 64), 0.5, of_batch=True)
    assert torch.equal(begun(KEYS[:1]).kept((3, 64), 0.5, of_batch=True), first)
    assert not torch.equal(begun(KEYS, step=1).kept((3, 64), 0.5, of_batch=True), first)
    assert torch.equal(begun(KEYS, step=1).kept((6, 64), 0.5), begun(KEYS).kept((6, 64), 0.5))
    empty, whole = begun(KEYS[:0]), begun(KEYS)
    assert empty.kept((0, 8), 0.5).shape == (0, 8)
    whole.kept((6, 8), 0.5)
    assert torch.equal(empty.kept((3, 64), 0.5, of_batch=True), whole.kept((3, 64), 0.5, of_batch=True))


def test_windows_of_an_image_lie_next_to_each_other() -> None:
    assert torch.equal(begun(KEYS).kept((12, 8), 0.5).view(6, 16), begun(KEYS).kept((6, 16), 0.5))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_so_many_values_are_dropped_and_the_mean_stays(rate: float) -> None:
    keys = np.arange(200, dtype=np.uint64)
    y = ExampleDropout(rate, begun(keys), Kind())(torch.ones(200, 500))
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    spread = (rate * (1 - rate)) ** 0.5
    assert float((y == 0).double().mean()) == pytest.approx(rate, abs=4 * spread / 100_000**0.5)
    per_value = (y == 0).double().mean(0)  # no place of an image is dropped more often than others
    assert float(per_value.std()) == pytest.approx(spread / 200**0.5, rel=0.15)


def test_stochastic_depth_drops_whole_examples_and_dropout_of_maps_whole_channels() -> None:
    x = torch.rand(6, 3, 4, 4) + 1
    of_examples = ExampleDropout(0.5, begun(KEYS), Kind(axes=1))(x) == 0
    assert {int(dropped.sum()) for dropped in of_examples} == {0, 48}
    of_channels = ExampleDropout(0.5, begun(KEYS), Kind(axes=2))(x) == 0
    assert {int(dropped.sum()) for dropped in of_channels.flatten(0, 1)} == {0, 16}
    kept = ExampleDropout(0.5, begun(KEYS), Kind(axes=1, scales=False))(x)
    assert torch.equal(kept[~of_examples], x[~of_examples])


@pytest.mark.parametrize(
    ("arch", "drop_path", "num"),
    [("mobilenet_v2", None, 1), ("alexnet", None, 2), ("timm/test_vit", None, 0), ("timm/test_vit", 0.3, 10)],
)
def test_what_draws_is_replaced_and_a_network_stays_what_it_is_in_eval_mode(
    arch: str, drop_path: float | None, num: int
) -> None:
    network, x = build(arch, 3, 0, image_size=64), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        before, names = network.eval()(x), list(network.state_dict())
        for _ in range(2):  # a second run takes the place of the first
            draws = drop_by_example(network, drop_path)
        assert torch.equal(network(x), before)
        assert list(network.state_dict()) == names
        ours = [module for module in network.modules() if isinstance(module, ExampleDropout)]
        assert [module.draws for module in ours] == [draws] * num
        draws.begin(KEYS[:2], 0, 0, 1, CPU)
        state = torch.get_rng_state()
        freeze(network, 0)
        assert (num == 0) == torch.equal(network(x), before)
    assert arch != "timm/test_vit" or torch.equal(torch.get_rng_state(), state)


def test_rates_rise_to_drop_path_in_the_last_block_and_0_switches_off() -> None:
    network = build("timm/test_vit", 3, 0, image_size=32)
    drop_by_example(network, 0.3)
    rates = [network.get_submodule(f"blocks.{index}.drop_path2").p for index in range(1, 6)]
    assert rates == pytest.approx([0.06, 0.12, 0.18, 0.24, 0.3])
    drop_by_example(network, 0.0)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.train()(x), network.eval()(x))


def test_an_architectures_own_rates_stay() -> None:
    network = build("convnext_tiny", 3, 0, image_size=32)
    own = {name: module.p for name, module in network.named_modules() if isinstance(module, StochasticDepth)}
    drop_by_example(network)
    assert own
    assert {name: network.get_submodule(name).p for name in own} == own
    assert not any(isinstance(module, StochasticDepth) and module.p for module in network.modules())


def outputs_in_training(network: Network, x: torch.Tensor, keys: np.ndarray) -> torch.Tensor:
    network = copy.deepcopy(network)
    draws = drop_by_example(network, None)
    freeze(network, 0)
    draws.begin(keys, 0, 0, 1, CPU)
    with torch.no_grad():
        return network(x)


def test_any_part_of_a_batch_drops_what_the_whole_of_it_drops() -> None:
    """Of two layers without norms over the batch, one of which is run twice."""
    network = build("timm/test_vit", NUM_CLASSES, 0, image_size=32)
    network.get_submodule("blocks.5").drop_path1 = network.get_submodule("blocks.5").drop_path2 = StochasticDepth(
        0.5, "row"
    )
    network.get_submodule("blocks.2").attn.proj_drop = nn.Dropout(0.3)
    x = torch.randn(6, 3, 32, 32)
    whole = outputs_in_training(network, x, KEYS)
    parts = [outputs_in_training(network, x[rows], KEYS[rows]) for rows in (slice(0, 1), slice(1, 6))]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.allclose(outputs_in_training(network, x, KEYS + np.uint64(1)), whole, atol=1e-3)


def test_a_table_of_positions_drops_the_same_in_any_part_of_a_batch() -> None:
    network, x = build("timm/test_vit_relpos", NUM_CLASSES, 0, image_size=32), torch.randn(6, 3, 32, 32)
    whole = outputs_in_training(network, x, KEYS)
    torch.testing.assert_close(outputs_in_training(network, x[:1], KEYS[:1]), whole[:1])


def test_a_run_with_stochastic_depth_goes_on_with_the_same_bits() -> None:
    train, val, settings = images(9), images(4, seed=1), config(epochs=3, batch_size=4, drop_path=0.5)
    networks = [build("timm/test_vit", NUM_CLASSES, 0, image_size=32) for _ in range(3)]
    results = [(figures(result), result.state()) for result in fine_tune(networks[0], train, val, settings)]
    assert curve(networks[1], train, val, settings, state=results[0][1]) == [row for row, _ in results[1:]]
    assert curve(networks[2], train, val, config(epochs=3, batch_size=4)) != [row for row, _ in results]
