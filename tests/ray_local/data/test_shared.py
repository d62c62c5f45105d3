"""A task in the object store: what comes back, that nothing of it is copied, and that references travel."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import ray
import torch

from translearn.cluster.data.shared import Shared, Task, fetch, share
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import Source, scratch

pytestmark = pytest.mark.ray


def images(num: int) -> ImageSet:
    pixels = np.random.default_rng(num).integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num) % 2, np.arange(num, dtype=np.uint64))


STATE = {
    "float": torch.randn(300, 40).T,
    "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "half": torch.randn(7).to(torch.bfloat16),
    "scalar": torch.tensor(3),
    "empty": torch.zeros(0, 4),
    "flag": torch.tensor([True, False]),
}


def task() -> Task:
    return Task(images(40), images(9), 2, {"a": Source("a", "resnet18", "weights", STATE), "s": scratch("resnet18")})


def test_what_was_shared_comes_back_with_its_bits_and_without_a_warning(ray_session):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetched = fetch(share(task()))
    assert np.array_equal(fetched.train.images, task().train.images)
    state = fetched.sources["a"].state
    assert state is not None
    assert list(state) == list(STATE)
    for name, tensor in STATE.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)
    assert fetched.sources["s"].state is None


def test_two_fetches_of_a_process_share_memory(ray_session):
    shared = share(task())
    one, two = fetch(shared), fetch(shared)
    assert np.shares_memory(one.train.images, two.train.images)
    assert not one.train.images.flags.writeable
    first, second = (fetched.sources["a"].state["float"].data_ptr() for fetched in (one, two))
    assert first == second


def test_a_reference_inside_a_configuration_is_still_one_in_another_process(ray_session):
    @ray.remote(num_cpus=0)
    def look(config: dict[str, Shared]) -> tuple[str, int]:
        return type(config["task"].task).__name__, len(fetch(config["task"]).train)

    assert ray.get(look.remote({"task": share(task())})) == ("ObjectRef", 40)
