"""Seconds of the demo's 25 refits on 2 CPUs: one at a time on two threads, and two side by side on one thread each.

``ratio`` is the first over the second, the median of the rounds, which are done in turn; above 1 side by side is
faster. ``start_s`` is the part of each before the first epoch. The images are noise of the demo's shape and number.
"""

from __future__ import annotations

import tempfile
import time
from statistics import median
from typing import Any

import common
import numpy as np

from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import session
from translearn.cluster.training.runs import train_jobs
from translearn.cluster.training.worker import Job
from translearn.config import ClusterSpec, TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import scratch
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

_DEPTHS = (0, 2, 0, 0, 5)  # two candidates with transfer, two of scratch, the probe
_TRAIN = TrainSpec(batch_size=16, augment="crop", weight_decay=5e-4)


def measure(quick: bool) -> dict[str, Any]:
    """Measure both ways in turn."""
    seeds, epochs, rounds = (1, 3, 1) if quick else (5, 30, 3)
    found = [{at_once: _refit(seeds, epochs, at_once) for at_once in (1, 2)} for _ in range(rounds)]
    return {
        "refits": seeds * len(_DEPTHS),
        "one_s": [turn[1][0] for turn in found],
        "two_s": [turn[2][0] for turn in found],
        "start_s": {"one": [turn[1][1] for turn in found], "two": [turn[2][1] for turn in found]},
        "ratio": round(median(turn[1][0] / turn[2][0] for turn in found), 2),
    }


def _refit(seeds: int, epochs: int, at_once: int) -> tuple[float, float]:
    """Return the seconds of all refits, and those before the first epoch's end."""
    with tempfile.TemporaryDirectory() as folder, session("local", dashboard=True, num_cpus=2):
        task = share(Task(_noise(20, 0), _noise(359, 1), 10, {"scratch": scratch("resnet18")}))
        jobs = [
            Job(f"run-{seed}-{place}", task, "scratch", TrainConfig(depth, 0.01, epochs, seed, _TRAIN))
            for seed in range(seeds)
            for place, depth in enumerate(_DEPTHS)
        ]
        resources, told = plan_resources(ClusterSpec(refits_at_once=at_once)), list[float]()
        started = time.monotonic()
        train_jobs(jobs, Folder.open(folder), resources, 30.0, [lambda _: told.append(time.monotonic())])
        return round(time.monotonic() - started, 1), round(told[0] - started, 1)


def _noise(num: int, seed: int) -> ImageSet:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    return ImageSet(pixels, (np.arange(num) % 10).astype(np.int64), np.arange(num, dtype=np.uint64))


if __name__ == "__main__":
    common.run("refits", measure)
