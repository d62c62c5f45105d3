"""A linear probe as a model: what its head is, and that its figures are those of the network."""

from __future__ import annotations

import numpy as np
import torch

from translearn.cluster.data.shared import Task
from translearn.cluster.probing import probe_model
from translearn.config import parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.models.sources import Source, initial_network
from translearn.ranking.scores import stratified_rows
from translearn.training.features import stage_features
from translearn.training.inference import probabilities

SPEC = parse_spec(
    {
        "name": "x",
        "target": {"data": "d", "image_size": 32},
        "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}],
        "rank": {"max_examples": 24},
        "train": {"precision": "fp32"},
    }
)
CPU = torch.device("cpu")


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light; every seventh label is wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.7 + 0.3 * labels[:, None, None, None])
    labels = np.where(np.arange(num) % 7 == 0, 1 - labels, labels)
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


def test_it_is_the_network_whose_figures_it_has_and_given_features_change_nothing(one_thread: None) -> None:
    source = Source("a", "resnet18", "weights", dict(build("resnet18", 5, 1).state_dict()))
    task = Task(images(40, 0), images(30, 1), 2, {"a": source})
    found = probe_model(task, "a", None, SPEC, CPU)
    network, _ = initial_network(source, 2, SPEC.seed, 32)
    backbone = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("fc.")}
    assert all(torch.equal(found.state[name], tensor) for name, tensor in backbone.items())
    network.load_state_dict(found.state)
    on_val = probabilities(network, task.val, "fp32", CPU)
    assert found.val_error == (on_val.argmax(1) != task.val.labels).mean()
    assert found.val_error < 0.35
    assert 0.05 <= found.temperature < 1  # logits near 0 and 1 are far too unsure
    assert found.num_examples == 24

    rows = stratified_rows(task.train.labels, 24, SPEC.seed)
    features, _ = stage_features(network, task.train.view(rows), has_head=False, precision="fp32", device=CPU)
    again = probe_model(task, "a", features[max(features)], SPEC, CPU)
    assert all(torch.equal(again.state[name], tensor) for name, tensor in found.state.items())
