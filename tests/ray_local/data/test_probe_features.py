"""Probe features in the object store: those that a trial would compute itself, and only where one reads them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import ray
import torch
from small_study import small_study

from translearn.cluster.data.features import features_of, with_features
from translearn.cluster.data.shared import Task, fetch, share
from translearn.cluster.resources import plan_resources
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.models.sources import Source, scratch
from translearn.training.distributed import DistributedContext
from translearn.training.features import probe_features

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_thread")]


def images(num: int) -> ImageSet:
    pixels = np.random.default_rng(num).integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num) % 2, np.arange(num, dtype=np.uint64))


def task() -> Task:
    network = build("resnet18", 4, seed=0)
    sources = {"a": Source("a", "resnet18", "checkpoint", network.state_dict()), "scratch": scratch("resnet18")}
    return Task(images(9), images(5), 2, sources)


def test_the_features_of_each_source_with_weights_are_those_that_a_trial_computes(ray_session, tmp_path) -> None:
    spec = small_study(tmp_path, train__augment="none")
    found = fetch(share(with_features(task(), spec, plan_resources(spec.cluster))))
    assert list(found.features) == ["a"]
    assert features_of(found, "scratch") is None
    features = features_of(found, "a")
    assert features is not None
    network = build("resnet18", 4, seed=0)
    for split, given in ((images(9), features.train), (images(5), features.val)):
        assert torch.equal(given, probe_features(network, split, "fp32", DistributedContext()))


@pytest.mark.parametrize("changes", [{"train__augment": "crop"}, {"search__freeze_depth": [0, 4]}])
def test_a_study_without_trials_that_read_features_computes_none(tmp_path, changes: dict[str, Any]) -> None:
    spec = small_study(tmp_path, **{"train__augment": "none", **changes})
    assert with_features(task(), spec, resources=None).features == {}  # type: ignore[arg-type]  # not looked at


def test_features_that_do_not_come_are_none(ray_session) -> None:
    @ray.remote(max_retries=0)
    def fail() -> None:
        raise MemoryError

    assert features_of(dataclasses.replace(task(), features={"a": fail.remote()}), "a") is None
