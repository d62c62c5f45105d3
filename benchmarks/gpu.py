"""On a CUDA device: steps of ResNet-50 at 224 px in bf16 against what the card gives, and the loader ahead of them.

- ``card``: TFLOP/s of a large matrix product and of ResNet-50's convolutions of 3 x 3, GB/s of a copy on the card.
- ``step``: images per second of a whole fine-tune's step (nothing frozen, SGD) on images that lie on the device, and
  what part of the convolutions' speed that is, at three times the forward pass's arithmetic; ``compiled``: the same
  with ``train.compile: always``.
- ``loader``: images per second of pixels in memory on their way to the device as input, shifted and mirrored, through
  the feed of a run; ``ahead`` is that over the step's: above 1 the card never waits.

Without a CUDA device it ends with one line. ``--quick``: fewer and smaller.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import torch

from translearn.config import TrainSpec
from translearn.data.batches import epoch_batches
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.inputs import inputs
from translearn.training.step import TrainingStep

#: Multiplications and additions of a forward pass of ResNet-50 at 224 px, as two operations each.
FORWARD_FLOP = 2 * 4.09e9
CLASSES, REPEATS = 100, 5
#: Channels and side of the 3 x 3 convolutions of ResNet-50's stages.
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (512, 7))


def measure(quick: bool) -> dict[str, Any]:
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py: needs a CUDA device")
    device, batch, num_steps = torch.device("cuda"), 64 if quick else 256, 5 if quick else 50
    card = {"matmul_tflops": _matmul(device, 2048 if quick else 8192), **_convolutions(device, batch), **_copy(device)}
    steps = {name: _step(device, batch, num_steps, name) for name in ("never", "always")}
    fed = _loader(device, batch, num_steps)
    found = {name: common.spread(values) for name, values in card.items()}
    conv_flops = found["conv_tflops"]["median"] * 1e12
    return {
        "batch": batch,
        "card": found,
        "step": {
            {"never": "plain", "always": "compiled"}[name]: {
                "img_s": common.spread(speeds),
                "of_convolutions": common.spread([3 * FORWARD_FLOP * speed / conv_flops for speed in speeds]),
            }
            for name, speeds in steps.items()
        },
        "loader": {"img_s": common.spread(fed), "ahead": common.ratio(fed, steps["always"])},
    }


def _seconds(work: Callable[[], object], num: int) -> float:
    """Seconds of one of ``num`` calls in a row, after one that is not timed."""
    work()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(num):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / num


def _matmul(device: torch.device, side: int) -> list[float]:
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return [2 * side**3 / _seconds(lambda: a @ b, 20) / 1e12 for _ in range(REPEATS)]


def _convolutions(device: torch.device, batch: int) -> dict[str, list[float]]:
    flop, works = 0, []
    for channels, side in CONVOLUTIONS:
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device, dtype=torch.bfloat16)
        layer = layer.to(memory_format=torch.channels_last)
        x = torch.randn(batch, channels, side, side, device=device, dtype=torch.bfloat16)
        works.append((layer, x.to(memory_format=torch.channels_last)))
        flop += 2 * 9 * channels**2 * side**2 * batch

    def all_of_them() -> None:
        with torch.no_grad():
            for layer, x in works:
                layer(x)

    return {"conv_tflops": [flop / _seconds(all_of_them, 20) / 1e12 for _ in range(REPEATS)]}


def _copy(device: torch.device) -> dict[str, list[float]]:
    source = torch.empty(2**28, device=device)
    target = torch.empty_like(source)
    return {"copy_gb_s": [2 * source.nbytes / _seconds(lambda: target.copy_(source), 10) / 1e9 for _ in range(REPEATS)]}


def _step(device: torch.device, batch: int, num_steps: int, compiles: str) -> list[float]:
    """Images per second of a run's own step: forward, loss, backward, optimiser."""
    train = TrainSpec(batch_size=batch, precision="bf16", compile=compiles)
    config, context = TrainConfig(0, 0.01, 10**4, 0, train), DistributedContext(device=device)
    step = TrainingStep(build("resnet50", CLASSES, 0), config, context, 10**5)
    x = torch.randn(batch, 3, 224, 224, device=device).to(memory_format=torch.channels_last)
    labels, keys = torch.arange(batch, device=device) % CLASSES, np.arange(batch, dtype=np.uint64)
    return [batch / _seconds(lambda: step(x, labels, keys, batch), num_steps) for _ in range(REPEATS)]


def _loader(device: torch.device, batch: int, num_steps: int) -> list[float]:
    """Images per second of input on the device."""
    num = batch * 8
    pixels = np.random.default_rng(0).integers(0, 256, (num, 224, 224, 3), dtype=np.uint8)
    data = ImageSet(pixels, np.arange(num) % CLASSES, np.arange(num, dtype=np.uint64))
    rows = [block for epoch in range(num_steps // 8 + 1) for block in epoch_batches(num, batch, 0, epoch + 1)]

    def epochs() -> None:
        for _ in inputs(data, rows, device, "flip_crop"):
            pass

    return [num * (num_steps // 8 + 1) / _seconds(epochs, 1) for _ in range(REPEATS)]


if __name__ == "__main__":
    common.run("gpu", measure)
