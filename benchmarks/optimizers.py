"""Milliseconds of a step of the optimiser, in one thread: ours (one kernel), and torch's other ways, in turn.

``tensor_by_tensor`` is torch's default on a CPU, ``foreach`` its other one. ``whole`` is a training step of 10 images
of 24 pixels a side (forward, backward and the optimiser, fp32): of such steps consist studies on few small images.
Ratios: the time of the other way over ours, of the same turn.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import common
import torch

from translearn.config import TrainSpec
from translearn.models.network import build
from translearn.training.optimizers import make_optimizer
from translearn.training.precision import prepare_process

LR, TRAIN = 1e-4, TrainSpec()
WAYS: dict[str, dict[str, bool]] = {
    "tensor_by_tensor": {"foreach": False, "fused": False},
    "foreach": {"foreach": True},
}


def measure(quick: bool) -> dict[str, Any]:
    """Spreads by architecture and part."""
    prepare_process(1)
    archs, turns = (("mobilenet_v2",), 2) if quick else (("resnet18", "mobilenet_v2", "resnet50"), 9)
    return {arch: {part: _part(arch, part == "whole", turns) for part in ("step", "whole")} for arch in archs}


def _part(arch: str, is_whole: bool, turns: int) -> dict[str, Any]:
    ways = {"ours": _ours} | {name: functools.partial(_torchs, **options) for name, options in WAYS.items()}
    found = common.interleaved({name: _steps(arch, make, is_whole) for name, make in ways.items()}, turns)
    ratios = {f"ratio_{name}": common.ratio(found[name], found["ours"]) for name in WAYS}
    return {f"{name}_ms": common.spread(values) for name, values in found.items()} | ratios


def _ours(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return make_optimizer(groups, LR, TRAIN)


def _torchs(groups: list[dict[str, Any]], **options: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=LR, momentum=TRAIN.momentum, nesterov=True, **options)


def _steps(arch: str, make: Callable[..., torch.optim.Optimizer], is_whole: bool, num: int = 5) -> Callable[[], float]:
    """Return what measures the milliseconds of a step, as the mean of some."""
    network, labels = build(arch, 10, 0), torch.arange(10)
    images = torch.rand(10, 3, 24, 24)
    optimizer = make([{"params": list(network.parameters()), "weight_decay": TRAIN.weight_decay}])

    def gradients() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()

    def milliseconds() -> float:
        started = time.perf_counter()
        for _ in range(num):
            if is_whole:
                gradients()
            optimizer.step()
        return 1e3 * (time.perf_counter() - started) / num

    gradients()
    milliseconds()  # makes the state
    return milliseconds


if __name__ == "__main__":
    common.run("optimizers", measure)
