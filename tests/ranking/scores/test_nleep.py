"""NLEEP: a mixture has no closed form, so its parts and its limits are tested."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from translearn.ranking.scores import nleep
from translearn.ranking.scores._nleep import reduced
from translearn.seeds import derive_seed


def entropy(y: np.ndarray) -> float:
    share = np.bincount(y) / len(y)
    return float(-(share * np.log(share)).sum())


@pytest.mark.parametrize("shape", [(60, 8, 3), (30, 90, 4)])
def test_reduction_keeps_as_many_components_as_sklearns_80_per_cent(shape, features):
    x, _ = features(*shape)
    expected = PCA(0.8, svd_solver="full").fit_transform(x)
    got = reduced(x)
    assert got.shape == expected.shape
    scale = np.sqrt(x.var(axis=0).sum())
    np.testing.assert_allclose(np.abs(got), np.abs(expected) / scale, atol=1e-9)


def test_clusters_far_apart_tell_everything():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    assert nleep(100 * np.eye(3)[y] + rng.normal(size=(90, 3)), y) == pytest.approx(0, abs=1e-6)


def test_noise_tells_little_and_signal_more(features):
    noise, signal = (nleep(*features(300, 6, 3, shift=shift)) for shift in (0.0, 2.0))
    _, y = features(300, 6, 3)
    assert -entropy(y) <= noise < signal - 0.3


def test_the_whole_score_against_sklearn_and_the_definition(features):
    """PCA by sklearn, its mixture, and LEEP as it is defined, example by example."""
    x, y = features(200, 8, 3)
    points = PCA(0.8, svd_solver="full").fit_transform(x) / np.sqrt(x.var(axis=0).sum())
    state = derive_seed(5, "nleep") % 2**32
    mixture = GaussianMixture(15, covariance_type="diag", reg_covar=1e-4, max_iter=200, random_state=state)
    theta = mixture.fit(points).predict_proba(points)
    joint = np.zeros((3, 15))
    for label, row in zip(y, theta, strict=True):
        joint[label] += row / len(y)
    total = 0.0
    for label, row in zip(y, theta, strict=True):
        total += np.log(sum(row[z] * joint[label, z] / joint[:, z].sum() for z in range(15) if joint[:, z].sum() > 0))
    assert nleep(x, y, seed=5) == pytest.approx(total / len(y), abs=1e-6)


def test_one_seed_gives_one_result(features):
    x, y = features(100, 6, 3)
    assert nleep(x, y, seed=3) == nleep(x, y, seed=3)
