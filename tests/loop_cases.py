"""Small runs of the loop, for tests that compare one run with another, also across processes."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import torch

from translearn.config import TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.network import Network, build
from translearn.seeds import example_key
from translearn.training.config import EpochResult, TrainConfig
from translearn.training.loop import fine_tune

NUM_CLASSES = 3
FIGURES = ("epoch", "train_loss", "val_loss", "val_error", "lr")


def images(num: int, seed: int = 0, size: int = 32) -> ImageSet:
    """Classes that differ in colour, under noise: easy, but not at once."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % NUM_CLASSES
    colours = np.array([[170, 90, 90], [90, 170, 90], [90, 90, 170]])[labels]
    pixels = colours[:, None, None] + rng.normal(0, 60, (num, size, size, 3))
    keys = np.array([example_key(f"{seed}/{index}") for index in range(num)], dtype=np.uint64)
    return ImageSet(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), keys)


def config(freeze_depth: int = 0, lr: float = 0.01, epochs: int = 2, seed: int = 7, **train: Any) -> TrainConfig:
    return TrainConfig(freeze_depth, lr, epochs, seed, TrainSpec(**{"batch_size": 8, "precision": "fp32", **train}))


@functools.cache
def _source() -> Network:
    """A source whose BatchNorm statistics are its own, not the initial ones."""
    network, threads = build("resnet18", NUM_CLASSES, seed=0), torch.get_num_threads()
    torch.set_num_threads(1)  # bits differ between one thread and two, and whoever comes first makes it for all
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    torch.set_num_threads(threads)
    return network


def source() -> Network:
    """A fresh copy of the same source each time."""
    return copy.deepcopy(_source())


def in_float64(network: Network) -> Network:
    """The network in double precision, so that rounding hides nothing; its input is cast on the way in."""
    network.get_submodule("conv1").register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    return network.double()


def figures(result: EpochResult) -> list[float]:
    return [getattr(result, name) for name in FIGURES]


def curve(network: Network, train: ImageSet, val: ImageSet, settings: TrainConfig, **more: Any) -> list[list[float]]:
    """A row of FIGURES an epoch."""
    return [figures(result) for result in fine_tune(network, train, val, settings, **more)]


def golden_csv() -> str:
    """The content of golden/fine_tune.csv, below its comment."""
    lines = [",".join(("freeze_depth", *FIGURES))]
    for depth in (0, 3, 5):
        rows = curve(in_float64(source()), images(25), images(10, seed=1), config(depth, lr=3e-3, epochs=3))
        lines += [",".join(map(str, [depth, *(round(value, 6) for value in row)])) for row in rows]
    return "\n".join(lines)
