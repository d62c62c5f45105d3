"""What the tests of the scores share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_inputs import Made, make_features, make_probabilities

from translearn.ranking.scores import FEATURE_SCORES


@pytest.fixture(params=sorted(FEATURE_SCORES))
def feature_score(request: pytest.FixtureRequest) -> Callable[[np.ndarray, np.ndarray], float]:
    return FEATURE_SCORES[request.param]


@pytest.fixture
def features() -> Callable[..., Made]:
    return make_features


@pytest.fixture
def probabilities() -> Callable[..., Made]:
    return make_probabilities
