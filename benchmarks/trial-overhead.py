"""Seconds from the last epoch of a trial to the first step of the next one, and the trial actors that live.

- ``gap_s_1``: trials of one worker in a reused actor, one trial at a time. Target: 0.5 s.
- ``gap_s_2``: trials of two workers, each a TorchTrainer of its own inside the trial; not with ``--quick``.
- ``start_s_1``, ``start_s_2``: from the start of a search to its first step.
- ``max_actors``: the most trial actors that lived at once in a search of many short trials, of which ASHA stops most,
  two at a time (``concurrent_trials``). It must not be more.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import common
import numpy as np
import ray
from ray.util.state import list_actors

from translearn.cluster.data.shared import Task
from translearn.cluster.resources import plan_resources
from translearn.cluster.session import session
from translearn.cluster.tuning.results import TrialResult
from translearn.cluster.tuning.tuner import run_search
from translearn.config import StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import scratch
from translearn.storage.folder import Folder

_EPOCHS, _CONCURRENT, _POLL_S = 3, 2, 0.3


def measure(quick: bool) -> dict[str, Any]:
    """Measure the gaps, round by round, then count actors."""
    rounds, found = 1 if quick else 2, dict[str, list[float]]()
    for _, num_workers in itertools.product(range(rounds), (1,) if quick else (1, 2)):
        num = 3 if num_workers == 2 else 5 if quick else 9
        with session("local", dashboard=False, num_cpus=num_workers if num_workers == 1 else num_workers + 1):
            started = time.time()
            spans = _spans(_searched(num, num_workers, "none"))
        gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)]
        found.setdefault(f"gap_s_{num_workers}", []).extend(gaps)
        found.setdefault(f"start_s_{num_workers}", []).append(spans[0][0] - started)
    with session("local", dashboard=True, num_cpus=_CONCURRENT), _watched() as numbers:
        _searched(8 if quick else 40, 1, "asha")
    counted = {"max_actors": max(numbers), "concurrent_trials": _CONCURRENT}
    return {**{key: common.spread(values) for key, values in found.items()}, **counted}


def _spans(trials: list[TrialResult]) -> list[tuple[float, float]]:
    """Return the begin of the first step and the end of the last epoch of each trial, in order (Unix seconds)."""
    curves = [trial.curve for trial in trials]
    return sorted((curve[0]["ended_at"] - curve[0]["seconds"], curve[-1]["ended_at"]) for curve in curves)


def _searched(num: int, num_workers: int, scheduler: str) -> list[TrialResult]:
    with tempfile.TemporaryDirectory() as folder:
        spec = _spec(folder, num, num_workers, scheduler)
        return run_search(spec, _task(), Folder.open(folder), plan_resources(spec.cluster))


def _task() -> Task:
    """Two classes of noise, and no pre-trained source: what a trial learns does not matter here."""
    rng = np.random.default_rng(0)
    splits = []
    for num in (64, 32):
        pixels = rng.integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
        splits.append(ImageSet(pixels, np.arange(num, dtype=np.int64) % 2, np.arange(num, dtype=np.uint64)))
    return Task(*splits, 2, {"scratch": scratch("resnet18")})


def _spec(storage: str, num: int, num_workers: int, scheduler: str) -> StudySpec:
    search = {"trials": num, "epochs": _EPOCHS, "lr": [1e-4, 1e-3], "sampler": "random", "grace_epochs": 1}
    return parse_spec(
        {
            "name": "trial-overhead",
            "storage": storage,
            "target": {"data": "sklearn:digits", "image_size": 32},
            "sources": [{"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}],
            "search": {**search, "scheduler": scheduler},
            "train": {"batch_size": 16, "precision": "fp32"},
            "cluster": {"workers_per_trial": num_workers},
        }
    )


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Count the trial actors, again and again, while the block runs; the dashboard has to be there."""
    numbers, is_over = [0], threading.Event()

    def watch() -> None:
        while not is_over.wait(_POLL_S):
            numbers.append(_num_actors())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield numbers
    finally:
        is_over.set()
        thread.join()


def _num_actors() -> int:
    """Return the number of actors of Tune's wrapper of the trainable that live."""
    found = list_actors(ray.get_runtime_context().gcs_address, filters=[("state", "=", "ALIVE")])
    return sum("Trainable" in (actor.class_name or "") for actor in found)


if __name__ == "__main__":
    common.run("trial-overhead", measure)
