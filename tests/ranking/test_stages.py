"""Features at every stage: those of the plain forward pass, in one pass, with the source head's probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network, build
from translearn.ranking.stages import stage_features

CPU = torch.device("cpu")


def images(num: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num) % 3, np.arange(num, dtype=np.uint64))


def source(arch: str) -> Network:
    network = build(arch, 4, seed=0)
    with torch.no_grad():
        network(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return network


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_features_are_the_means_of_each_stage_and_probabilities_those_of_the_network(arch: str) -> None:
    from translearn.data.transforms import to_input

    data, network, rows = images(9), source(arch), np.array([4, 0, 8])
    found = stage_features(network, data, rows, has_head=True, precision="fp32", device=CPU)
    assert list(found.features) == [1, 2, 3, 4, 5]
    x = to_input(torch.from_numpy(data.images[rows]))
    network.eval()
    with torch.no_grad():
        for depth, features in found.features.items():
            boundary = network.prefix(depth)(x)
            means = nn.functional.adaptive_avg_pool2d(boundary, 1).flatten(1) if boundary.ndim == 4 else boundary
            np.testing.assert_allclose(features, means.numpy(), rtol=1e-4, atol=1e-5)
            assert features.dtype == np.float32
        assert found.probabilities is not None
        np.testing.assert_allclose(found.probabilities, network(x).softmax(1).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.last, found.features[5])


def test_every_image_runs_once_through_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    network, seen = source("resnet18"), []
    for name in ("layer1", "layer4"):
        network.get_submodule(name).register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    monkeypatch.setattr("translearn.ranking.stages.BATCH_SIZE", 4)
    found = stage_features(network, images(9), np.arange(9), has_head=False, precision="fp32", device=CPU)
    assert sum(seen) == 2 * 9
    assert len(seen) == 2 * 3
    assert found.probabilities is None
    assert len(found.last) == 9
