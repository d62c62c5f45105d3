"""Searching on a real Ray: trials that diverge, and trials of several workers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from conftest import small_study

from translearn.cluster.resources import Resources
from translearn.cluster.search import run_search
from translearn.cluster.shared import Task
from translearn.data.image_set import ImageSet
from translearn.sources import scratch
from translearn.storage import Folder

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(images(21, 0), images(9, 1), 2, {"scratch": scratch("resnet18")})


def test_diverging_trials_end_with_their_reason_and_the_search_goes_on(ray_session, task, tmp_path):
    spec = small_study(tmp_path, search__trials=3, search__lr=[1e10, 1e12], search__algorithm="random")
    outcomes = run_search(spec, task, Folder.open(tmp_path), Resources(1, 0, 1, 2, 1, 2, 0), [])
    assert len(outcomes) == 3
    assert not any(outcome.error for outcome in outcomes)
    assert {outcome.metrics["val_error"] for outcome in outcomes} == {1.0}
    for outcome in outcomes:
        assert re.fullmatch(
            r"(train|val)_loss is (nan|inf) in epoch 1 at lr \d(\.\d+)?e\+1\d, freeze depth 0\. "
            r"A lower learning rate or train\.clip_norm helps\.",
            outcome.metrics["reason"],
        )


def test_two_workers_a_trial_give_the_curve_of_one(ray_session, task, tmp_path):
    # A small rate: BatchNorm over a few examples amplifies rounding, and nothing else may differ.
    changes = {"search__epochs": 2, "search__lr": [1e-4, 1e-4], "train__batch_size": 10}
    curves = {}
    for workers in (1, 2):
        folder = Folder.open(tmp_path / str(workers))
        spec = small_study(folder.path, **changes, cluster={"workers_per_trial": workers})
        spec = spec.model_copy(update={"search": spec.search.model_copy(update={"trials": 1})})
        (outcome,) = run_search(spec, task, folder, Resources(1, 0, workers, 1, 1, 2, 0), [])
        assert outcome.error is None
        curves[workers] = [
            (row["epoch"], row["train_loss"], row["val_loss"], row["val_error"]) for row in outcome.curve
        ]
    assert [row[0] for row in curves[2]] == [1, 2]
    np.testing.assert_allclose(curves[1], curves[2], rtol=1e-4)
