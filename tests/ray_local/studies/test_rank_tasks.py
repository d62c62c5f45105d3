"""Scores of sources in Ray's tasks: those of a plain call, from training images alone."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from ray import cloudpickle
from small_study import small_study

from translearn.cluster.data.shared import Task
from translearn.cluster.resources import plan_resources
from translearn.cluster.scoring import score, score_sources
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.models.sources import Source, scratch

pytestmark = pytest.mark.ray


class Untouchable:
    """Images that nobody may read."""

    shape, dtype, ndim = (9, 32, 32, 3), np.dtype(np.uint8), 4

    def __len__(self) -> int:
        return 9

    def __getitem__(self, rows: Any) -> np.ndarray:
        raise AssertionError("validation was read")


def test_sources_are_scored_in_tasks_as_in_a_plain_call_and_validation_is_not_read(ray_session, tmp_path) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the tasks do not have this module
    spec = small_study(tmp_path)
    labels = np.arange(30) % 3
    pixels = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    train = ImageSet(pixels, labels, np.arange(30, dtype=np.uint64))
    val = ImageSet(Untouchable(), np.full(9, -1), np.arange(9, dtype=np.uint64))
    source = Source("a", "resnet18", "checkpoint", build("resnet18", 4, seed=0).state_dict())
    task = Task(train, val, 3, {"a": source, "scratch": scratch("resnet18")})
    found = score_sources(task, {}, spec, plan_resources(spec.cluster))
    assert list(found) == ["a"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = score(source, train, None, spec, torch.device("cpu"))
    torch.set_num_threads(threads)
    for one, other in zip(found["a"].scores, alone.scores, strict=True):
        assert (one.score, one.depth) == (other.score, other.depth)
        assert one.spread.value == pytest.approx(other.spread.value, rel=1e-6, abs=1e-9)
