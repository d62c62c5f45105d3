"""The network's first step: each source gets images as its weights were trained on them."""

from __future__ import annotations

import numpy as np
import torch
from loop_cases import config, curve, images, source

from translearn.models.preprocessing import IMAGENET, Normalisation
from translearn.models.sources import Source, initial_network
from translearn.training.distributed import DistributedContext
from translearn.training.features import probe_features, stage_features

TRAIN, VAL, CPU = images(8), images(6, seed=1), torch.device("cpu")


def made(normalisation: Normalisation, scale: float = 1.0) -> Source:
    """A source whose first weights are multiplied by this."""
    state = dict(source().state_dict())
    state["conv1.weight"] = state["conv1.weight"] * scale
    return Source("a", "resnet18", "checkpoint", state, normalisation=normalisation)


#: One function, written both ways: of pixels in [0, 1], and of pixels divided by a quarter. A power of two changes no
#: bit but the exponents', and black is 0 in both, at the padded edges too.
PLAIN = made(Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), scale=4.0)
DIVIDED = made(Normalisation((0.0, 0.0, 0.0), (0.25, 0.25, 0.25)))


def probes(one: Source) -> torch.Tensor:
    return probe_features(initial_network(one, 3, seed=1)[0], TRAIN, "fp32", DistributedContext())


def test_a_source_of_plain_pixels_has_the_features_of_the_same_source_normalised() -> None:
    assert torch.equal(probes(PLAIN), probes(DIVIDED))
    as_always = made(IMAGENET, scale=4.0)
    assert not torch.allclose(probes(PLAIN), probes(as_always), rtol=0.1)
    ranked = [
        stage_features(initial_network(one, 3, 1)[0], TRAIN, has_head=False, precision="fp32", device=CPU)[0]
        for one in (PLAIN, DIVIDED)
    ]
    assert all(np.array_equal(ranked[0][depth], ranked[1][depth]) for depth in ranked[0])


def test_a_source_of_plain_pixels_does_as_well_as_the_same_source_normalised() -> None:
    curves = [curve(initial_network(one, 3, seed=1)[0], TRAIN, VAL, config(1, epochs=1)) for one in (PLAIN, DIVIDED)]
    assert curves[0] == curves[1]


def test_the_mean_and_std_of_a_source_are_those_of_its_images() -> None:
    network, _ = initial_network(made(Normalisation((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))), 3, seed=1)
    x = torch.from_numpy(TRAIN.images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    with torch.no_grad():
        expected = network.eval().features((x - mean) / std)
    torch.testing.assert_close(probe_features(network, TRAIN, "fp32", DistributedContext()), expected)
