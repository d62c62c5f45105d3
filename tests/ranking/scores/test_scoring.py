"""Which score is measured at which stage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from translearn.ranking import scoring
from translearn.ranking.decisions import Contender, ranked
from translearn.ranking.scores import FEATURE_SCORES, PROBABILITY_SCORES
from translearn.ranking.scoring import StageFeatures, stage_scores


def test_every_score_of_features_is_measured_at_every_stage_but_the_dearest() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    features = {depth: rng.normal(size=(24, 4)) for depth in (1, 2, 3)}
    found = stage_scores(StageFeatures(features, rng.dirichlet(np.ones(5), 24)), labels, seed=0)
    depths = {
        name: [one.depth for one in found if one.score == name] for name in (*FEATURE_SCORES, *PROBABILITY_SCORES)
    }
    assert depths.pop("nleep") == [3]
    assert [depths.pop(name) for name in PROBABILITY_SCORES] == [[3], [3]]
    assert set(map(tuple, depths.values())) == {(1, 2, 3)}
    assert all(np.isfinite(one.spread.value) and one.seconds > 0 for one in found)


def stages(num: int, *widths: int, noise: float = 1.0) -> tuple[StageFeatures, np.ndarray]:
    """Features of classes that lie apart, more so from stage to stage."""
    rng = np.random.default_rng(0)
    labels = np.arange(num) % 3
    means = [rng.normal(size=(3, width))[labels] * depth for depth, width in enumerate(widths, 1)]
    found = {depth: mean + noise * rng.normal(size=mean.shape) for depth, mean in enumerate(means, 1)}
    return StageFeatures(found, rng.dirichlet(np.ones(5), num)), labels


def test_by_default_conclusions_are_those_of_all_scores() -> None:
    pool: dict[str, list[Contender]] = {"order": [], "all": []}
    for name, noise in (("near", 1.0), ("far", 4.0), ("useless", 40.0)):
        features, labels = stages(60, 4, 6, 8, noise=noise)
        for wanted, contenders in pool.items():
            scores = tuple(stage_scores(features, labels, 0, wanted))
            contenders.append(Contender(name, scores, None, 60, 8, {"source_accuracy": 0.5}))
    assert ranked(pool["order"]) == ranked(pool["all"])
    assert [one.is_dropped for one in ranked(pool["order"]).sources] == [False, False, True]


def test_intervals_are_there_where_conclusions_rest_on_them() -> None:
    features, labels = stages(60, 4, 6, 8)
    features.features[2][:] = 20 * np.eye(6)[labels]  # the best stage is not the last
    found = stage_scores(features, labels, 0, "order")
    with_interval = {(one.score, one.depth) for one in found if math.isfinite(one.spread.margin)}
    assert with_interval == {
        *((name, depth) for name in ("knn", "logme", "hscore") for depth in (2, 3)),
        ("leep", 3),
        ("nce", 3),
    }
    everything = {(one.score, one.depth): one.spread for one in stage_scores(features, labels, 0)}
    assert all(everything[one.score, one.depth].value == one.spread.value for one in found)
    assert all(everything[key] == one.spread for one in found if (key := (one.score, one.depth)) in with_interval)


def test_the_linear_probe_is_measured_at_the_stages_that_may_be_frozen_and_the_next() -> None:
    features, labels = stages(60, 4, 5, 6, 7, 8)
    found = stage_scores(features, labels, 0, "order")
    assert [one.depth for one in found if one.score == "linear_probe"] == [1, 2, 3]
    assert [one.depth for one in found if one.score == "knn"] == [1, 2, 3, 4, 5]


def test_the_h_score_of_more_features_than_images_is_left_out() -> None:
    wide, labels = stages(12, 4, 16)
    assert "hscore" not in {one.score for one in stage_scores(wide, labels, 0, "order")}
    assert "hscore" in {one.score for one in stage_scores(wide, labels, 0)}


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize(("num", "threads"), [(24, {1}), (1000, {2})])
def test_small_matrices_are_decomposed_in_one_thread(
    num: int, threads: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []

    def score(features: np.ndarray, labels: np.ndarray) -> float:
        seen.append(blas_threads())
        return float(len(labels))

    monkeypatch.setattr(scoring, "FEATURE_SCORES", {"made": score})
    with threadpool_limits(2, "blas"):
        stage_scores(StageFeatures({1: np.zeros((num, 1000))}, None), np.arange(num) % 2, seed=0)
        assert set.union(*seen) == threads
        assert blas_threads() == {2}
