"""Which score is measured at which stage."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from translearn.ranking import scoring
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
