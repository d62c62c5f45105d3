"""Seconds from one trial's last epoch to the next one's first step, and from the start of a search to its first step.

``gap_s_1`` and ``gap_s_2`` are translearn's, with trials of one and of two workers, one trial at a time and no two of
them together. Beside them, for the same trials: a nested TorchTrainer a trial (``nested_s_1``, ``nested_s_2``, not with
``--quick``) and functions of Ray Tune whose actors are not reused (``function_s_1``). All have the settings of Ray
Train that translearn uses: with Ray's own, the nested ones take longer. Target: 0.5 s.
"""

from __future__ import annotations

import functools
import itertools
import json
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import ray.train
import ray.train.torch
from ray import tune
from ray.train.torch import TorchConfig, TorchTrainer

from translearn.cluster.data.shared import Shared, Task, fetch, share
from translearn.cluster.resources import Resources
from translearn.cluster.search import run_search
from translearn.cluster.session import session
from translearn.cluster.training.group import scaling
from translearn.config import StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import initial_network, scratch
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

#: First step's begin and last epoch's end of each trial, in Unix seconds.
Spans = list[tuple[float, float]]

_EPOCHS = 3


def measure(quick: bool) -> dict[str, Any]:
    """The gaps of each way to run trials, its rounds in turn."""
    num, num_usual, rounds = (5, 3, 1) if quick else (9, 4, 2)
    variants: dict[str, Callable[[], Spans]] = {
        "gap_s_1": functools.partial(_searched, num, num_workers=1),
        "gap_s_2": functools.partial(_searched, num, num_workers=2),
        "function_s_1": functools.partial(_tuned, num_usual, _function, {"cpu": 1}, num_workers=1),
    }
    for num_workers in () if quick else (1, 2):
        nested = functools.partial(_tuned, num_usual, _nested, {"cpu": 0.01}, num_workers=num_workers)
        variants[f"nested_s_{num_workers}"] = nested
    with session("local", dashboard=False, num_cpus=2):
        gaps, starts = _rounds(variants, rounds)
    return {key: common.spread(values) for key, values in {**gaps, **starts}.items()}


def _rounds(variants: dict[str, Callable[[], Spans]], rounds: int) -> tuple[dict[str, list[float]], ...]:
    """The seconds between trials by variant, and those before the first trial."""
    gaps: dict[str, list[float]] = {key: [] for key in variants}
    starts: dict[str, list[float]] = {f"{key}_start": [] for key in variants}
    for _ in range(rounds):
        for key, variant in variants.items():
            began_at = time.time()
            spans = sorted(variant())
            starts[f"{key}_start"].append(spans[0][0] - began_at)
            gaps[key] += [later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)]
    return gaps, starts


def _task() -> Task:
    """Two classes of noise, and no pre-trained source: what a trial learns does not matter here."""
    rng = np.random.default_rng(0)
    splits = []
    for num in (64, 32):
        pixels = rng.integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
        splits.append(ImageSet(pixels, np.arange(num, dtype=np.int64) % 2, np.arange(num, dtype=np.uint64)))
    return Task(*splits, 2, {"scratch": scratch("resnet18")})


def _spec(storage: str, num: int, num_workers: int) -> StudySpec:
    search = {"trials": num, "epochs": _EPOCHS, "lr": [1e-4, 1e-3], "mode": "exhaustive", "algorithm": "random"}
    return parse_spec(
        {
            "name": "trial-overhead",
            "storage": storage,
            "target": {"data": "sklearn:digits", "image_size": 32},
            "sources": [{"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}],
            "search": {**search, "trials_together": 1},
            "train": {"batch_size": 16, "precision": "fp32"},
            "cluster": {"workers_per_trial": num_workers},
        }
    )


def _searched(num: int, num_workers: int) -> Spans:
    """Trials of translearn's search, each a heat of its own."""
    with tempfile.TemporaryDirectory() as folder:
        spec = _spec(folder, num, num_workers)
        outcomes = run_search(spec, _task(), Folder.open(folder), Resources(1, 0, num_workers, 1))
    curves = [outcome.curve for outcome in outcomes]
    return [(curve[0]["ended_at"] - curve[0]["seconds"], curve[-1]["ended_at"]) for curve in curves]


def _tuned(num: int, trial: Callable[..., None], own: dict[str, float], num_workers: int) -> Spans:
    """The same trials by Ray Tune alone, one actor each."""
    with tempfile.TemporaryDirectory() as folder:
        spec = _spec(folder, num, num_workers)
        body = functools.partial(trial, shared=share(_task()), spec=spec, folder=folder)
        results = tune.Tuner(
            tune.with_resources(body, own),
            param_space={"lr": tune.grid_search(np.geomspace(1e-4, 1e-3, num).tolist())},
            tune_config=tune.TuneConfig(max_concurrent_trials=1, reuse_actors=False),
            run_config=tune.RunConfig(name="tune", storage_path=folder, verbose=0),
        ).fit()
        if results.errors:
            raise results.errors[0]
        return [tuple(json.loads(path.read_text())) for path in Path(folder).glob("*.span")]


def _function(config: dict[str, Any], shared: Shared, spec: StudySpec, folder: str) -> None:
    _train(config["lr"], shared, spec, folder, DistributedContext())


def _nested(config: dict[str, Any], shared: Shared, spec: StudySpec, folder: str) -> None:
    """The recipe of Ray's guide: a trial that starts a TorchTrainer."""
    TorchTrainer(
        _loop,
        train_loop_config={"lr": config["lr"], "shared": shared, "spec": spec, "folder": folder},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=scaling(spec.cluster.workers_per_trial, 0.9, 0),
        run_config=ray.train.RunConfig(name=tune.get_context().get_trial_id(), storage_path=f"{folder}/workers"),
    ).fit()


def _loop(config: dict[str, Any]) -> None:
    context = DistributedContext.joined(ray.train.torch.get_device())
    _train(config["lr"], config["shared"], config["spec"], config["folder"], context)


def _train(lr: float, shared: Shared, spec: StudySpec, folder: str, context: DistributedContext) -> None:
    """Trains a trial, and leaves its span in a file."""
    prepare_process(1)
    task = fetch(shared)
    network, _ = initial_network(task.sources["scratch"], task.num_classes, spec.seed)
    spans = []
    for result in fine_tune(network, task.train, task.val, TrainConfig(0, lr, _EPOCHS, spec.seed, spec.train), context):
        spans.append((time.time() - result.seconds, time.time()))
    if context.worker_rank == 0:
        Path(folder, f"{uuid.uuid4().hex}.span").write_text(json.dumps((spans[0][0], spans[-1][1])))


if __name__ == "__main__":
    common.run("trial-overhead", measure)
