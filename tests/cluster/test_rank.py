"""What is measured of a source on a target's training images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from translearn.cluster.scoring import score
from translearn.config import StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.models.sources import Source
from translearn.ranking.scores import FEATURE_SCORES, PROBABILITY_SCORES

CPU = torch.device("cpu")


def images(num: int, seed: int = 0) -> ImageSet:
    """Classes that differ in brightness."""
    rng, labels = np.random.default_rng(seed), np.arange(num) % 3
    pixels = rng.integers(0, 90, (num, 32, 32, 3)) + 60 * labels[:, None, None, None]
    return ImageSet(pixels.astype(np.uint8), labels, np.arange(num, dtype=np.uint64))


def source(num_classes: int = 4, **changed: torch.Tensor | None) -> Source:
    state = {**build("resnet18", num_classes, seed=0).state_dict(), **changed}
    return Source("a", "resnet18", "checkpoint", {name: t for name, t in state.items() if t is not None})


def study(**rank: Any) -> StudySpec:
    return parse_spec(
        {
            "name": "made",
            "target": {"data": "x"},
            "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}],
            "train": {"precision": "fp32"},
            "rank": rank,
        }
    )


def test_scores_that_nothing_rests_on_are_measured_on_request() -> None:
    found = score(source(), images(30), None, study(), CPU)
    assert {one.score for one in found.scores} == {"knn", "linear_probe", "logme", *PROBABILITY_SCORES}


def test_every_score_is_there_at_its_stages_with_interval_and_cost() -> None:
    found = score(source(), images(30), None, study(scores="all"), CPU)
    depths = {
        name: [one.depth for one in found.scores if one.score == name] for name in (s.score for s in found.scores)
    }
    assert {name for name, at in depths.items() if at == [1, 2, 3, 4, 5]} == set(FEATURE_SCORES) - {"nleep"}
    assert {name for name, at in depths.items() if at == [5]} == {"nleep", *PROBABILITY_SCORES}
    assert all(one.spread.low <= one.spread.value <= one.spread.high and one.seconds > 0 for one in found.scores)
    assert all(math.isfinite(one.spread.margin) for one in found.scores)
    assert (found.num_classes, found.num_examples, found.distances) == (4, 30, None)
    assert found.seconds > sum(one.seconds for one in found.scores)


@pytest.mark.parametrize(
    "changed",
    [{"fc.weight": None, "fc.bias": None}, {"fc.bias": None}, {"fc.weight": torch.zeros(4, 7)}],
    ids=["no head", "half a head", "a head of another size"],
)
def test_without_a_head_of_its_own_a_source_has_no_scores_of_one(changed: dict[str, Any]) -> None:
    found = score(source(**changed), images(30), None, study(scores="all"), CPU)
    assert {one.score for one in found.scores} == set(FEATURE_SCORES)
    assert found.num_classes is None


def test_no_more_examples_are_used_than_the_study_says() -> None:
    assert score(source(), images(60), None, study(max_examples=24), CPU).num_examples == 24


def test_distances_grow_with_what_the_images_differ_by() -> None:
    train = images(60)
    same = score(source(), train, images(60, seed=1), study(max_examples=45), CPU).distances
    other = ImageSet(255 - images(60, seed=1).images, train.labels, train.keys)
    far = score(source(), train, other, study(max_examples=45), CPU).distances
    assert same
    assert far
    assert 0 <= same.proxy_a.value < far.proxy_a.value <= 2
    assert same.frechet.value < far.frechet.value
    assert (same.num_source, same.num_target) == (45, 45)


def test_a_seed_gives_the_same_scores() -> None:
    first, second = (score(source(), images(30), None, study(), CPU) for _ in range(2))
    assert [one.spread for one in first.scores] == [one.spread for one in second.scores]
