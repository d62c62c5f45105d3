"""Which score is measured at which stage."""

from __future__ import annotations

import numpy as np

from translearn.transferability import FEATURE_SCORES, PROBABILITY_SCORES
from translearn.transferability.scoring import stage_scores
from translearn.transferability.stages import StageFeatures


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
