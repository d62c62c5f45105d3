"""Seconds of the ranking's scores of one source, with their intervals, against the time of one trial.

Features are made up, as wide as those of ResNet-50's stages, of 2,000 images in 10 classes; the forward pass that gives
features is not in the figures. ``order`` and ``all`` are the choices of ``rank.scores``; ``by_score`` is the time of
each score over all stages. ``step_s`` is one training step of a ResNet-50 (full fine-tune, batches of 32, fp32);
``order_in_steps`` steps take as long as the scores. A trial on 2,000 images has 504 steps by default, of 250 images.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import common
import numpy as np
import torch

from translearn.config import TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.ranking.scoring import StageFeatures, stage_scores
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune

WIDTHS = (64, 256, 512, 1024, 2048)
NUM_CLASSES, BATCH_SIZE, STEPS = 10, 32, 3


def measure(quick: bool, skip: list[str] | None) -> dict[str, Any]:
    """Wall and processor seconds of each choice of scores, and of a training step."""
    num, size, repeats = (400, 64, 1) if quick else (2000, 224, 3)
    found, labels = features(num, quick)
    wanted = [name for name in ("order", "all") if name not in (skip or ())]
    scores: dict[str, Any] = {}
    for name in wanted:
        runs = [timed(found, labels, name) for _ in range(repeats)]
        scores[name] = {unit: common.spread([run[unit] for run in runs]) for unit in ("wall_s", "cpu_s")}
        scores[name]["by_score"] = runs[-1]["by_score"]
    step_s = common.spread([step(size) for _ in range(repeats)])
    in_steps = {f"{name}_in_steps": scores[name]["wall_s"]["median"] / step_s["median"] for name in wanted}
    return {"num_images": num, "image_size": size, **scores, "step_s": step_s, **in_steps}


def features(num: int, quick: bool) -> tuple[StageFeatures, np.ndarray]:
    """Gaussian classes behind a ReLU, at the width of each stage (an eighth of it where quick)."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(num) % NUM_CLASSES)
    widths = [width // 8 for width in WIDTHS] if quick else WIDTHS
    made = {
        depth: np.maximum(rng.normal(size=(num, width)) + 0.3 * rng.normal(size=(NUM_CLASSES, width))[labels], 0)
        for depth, width in enumerate(widths, 1)
    }
    return StageFeatures({depth: x.astype(np.float32) for depth, x in made.items()}, None), labels


def timed(found: StageFeatures, labels: np.ndarray, wanted: str) -> dict[str, Any]:
    """Seconds of the scores, together and each."""
    wall, cpu = time.perf_counter(), time.process_time()
    scores = stage_scores(found, labels, 0, wanted)  # type: ignore[arg-type]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    by_score: dict[str, float] = defaultdict(float)
    for one in scores:
        by_score[one.score] += one.seconds
    return {"wall_s": wall, "cpu_s": cpu, "by_score": dict(by_score)}


def step(size: int) -> float:
    """Seconds of a training step, after one epoch that does not count."""
    num = STEPS * BATCH_SIZE
    pixels = np.random.default_rng(0).integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    images = ImageSet(pixels, np.arange(num) % NUM_CLASSES, np.arange(num, dtype=np.uint64))
    train = TrainSpec(batch_size=BATCH_SIZE, precision="fp32", compile="never")
    config = TrainConfig(0, 1e-6, 2, 0, train)
    network = build("resnet50", NUM_CLASSES, 0)
    context = DistributedContext(device=torch.device("cpu"))
    *_, last = fine_tune(network, images, images.view(np.arange(1)), config, context)
    return BATCH_SIZE / last.images_per_s


if __name__ == "__main__":
    more = {"skip": {"action": "append", "choices": ["order", "all"], "help": "leave these scores out"}}
    common.run("ranking", measure, more=more)
