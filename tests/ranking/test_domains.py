"""Distances of a source's images from a target's, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from translearn.ranking.domains import domain_distances


def test_sets_that_no_example_confuses_still_have_an_interval() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(60, 4)), rng.normal(size=(40, 4)) + 100
    found = domain_distances(source, target, seed=0)
    assert found.proxy_a.value == pytest.approx(2)
    # One more mistake among 2 x 40 examples is 4/80 of the distance.
    assert found.proxy_a.margin > 4 / 80
    assert found.frechet.value > 100


def test_the_interval_of_more_images_is_narrower() -> None:
    rng = np.random.default_rng(1)
    few, many = (
        domain_distances(rng.normal(size=(num, 3)), rng.normal(size=(num, 3)) + 50, seed=0).proxy_a.margin
        for num in (20, 200)
    )
    assert few > 3 * many


def test_the_fewest_images_have_distances_and_fewer_have_none() -> None:
    rng = np.random.default_rng(2)
    many, few = rng.normal(size=(30, 8)), rng.normal(size=(3, 8))
    for source, target in ((many, few), (few, many), (few, few)):
        found = domain_distances(source, target, seed=0)
        assert found
        assert np.isfinite([found.frechet.value, found.frechet.margin, found.proxy_a.value, found.proxy_a.margin]).all()
    assert domain_distances(many, few[:2], seed=0) is None
    assert domain_distances(few[:1], many, seed=0) is None
