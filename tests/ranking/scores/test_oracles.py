"""Each score against a naive, dense form of its definition."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, rankdata
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from translearn.ranking.scores import (
    fit_linear_probe,
    gbc,
    hscore,
    knn,
    leep,
    linear_probe,
    logme,
    nce,
    parc,
    transrate,
)
from translearn.ranking.scores._linear_probe import PENALTIES

SHAPES = [(60, 8, 3), (30, 90, 4), (25, 25, 3)]  # N > D, N < D, N = D


def dense_evidence(x: np.ndarray, y: np.ndarray, alpha: float, beta: float) -> float:
    """ln N(y; 0, I/beta + FF'/alpha): the evidence before any algebra."""
    return float(multivariate_normal(cov=np.eye(len(y)) / beta + x @ x.T / alpha).logpdf(y))


def logme_fixed_point(x: np.ndarray, y: np.ndarray) -> float:
    """The paper's iteration with D x D matrices, then the dense evidence, for one class."""
    num, dim = x.shape
    alpha = beta = 1.0
    for _ in range(3000):
        a = alpha * np.eye(dim) + beta * x.T @ x
        m = beta * np.linalg.solve(a, x.T @ y)
        gamma = dim - alpha * np.trace(np.linalg.inv(a))
        alpha, beta = gamma / (m @ m), (num - gamma) / np.sum((x @ m - y) ** 2)
    return dense_evidence(x, y, alpha, beta)


@pytest.mark.parametrize("shape", [(60, 8, 3), (100, 30, 4), (40, 60, 2)])
def test_logme_equals_the_dense_evidence_at_the_papers_fixed_point(shape, features):
    x, y = features(*shape, shift=0.2)
    expected = np.mean([logme_fixed_point(x, (y == c).astype(float)) for c in range(shape[2])]) / len(y)
    assert logme(x, y) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_logme_equals_the_dense_evidence_maximised_over_both_precisions(shape, features):
    x, y = features(*shape)

    def best(target: np.ndarray) -> float:
        def loss(logs: np.ndarray) -> float:
            return -dense_evidence(x, target, *np.exp(logs))

        starts = [(0.0, 0.0), (5.0, 2.0), (3.0, 8.0)]
        return -min(minimize(loss, start, method="Nelder-Mead", bounds=[(-10, 20)] * 2).fun for start in starts)

    expected = np.mean([best((y == c).astype(float)) for c in range(shape[2])]) / len(y)
    assert logme(x, y) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_logme_is_at_least_the_dense_evidence_anywhere(shape, features):
    x, y = features(*shape)
    for alpha in (0.1, 1.0, 30.0):
        for beta in (1.0, 5.0, 50.0):
            dense = np.mean([dense_evidence(x, (y == c).astype(float), alpha, beta) for c in range(shape[2])])
            assert logme(x, y) >= dense / len(y) - 1e-9


def test_logme_is_the_same_by_eigenvectors_and_by_a_tridiagonal_form(features):
    x, y = features(300, 200, 4, shift=0.2)
    wide = np.hstack([x, np.zeros((300, 150))])  # so wide that the other way is taken
    assert logme(wide, y) == pytest.approx(logme(x, y), rel=1e-10)
    assert logme(wide, y, gram=7 * wide @ wide.T) == pytest.approx(logme(x, y), rel=1e-10)


def test_logme_of_noise_with_fewer_examples_than_features_is_negative(features):
    # A public copy loses (D - K) ln(alpha) and gives about +13 here.
    x, y = features(100, 512, 4, shift=0.0)
    assert -1.2 < logme(x, y) < 0


@pytest.mark.parametrize("shape", SHAPES)
def test_hscore_equals_the_dense_form_with_sklearns_shrinkage(shape, features):
    x, y = features(*shape)
    fitted = LedoitWolf().fit(x)
    means = np.array([x[y == label].mean(axis=0) for label in y])
    between = np.cov(means.T, bias=True)
    expected = np.trace(np.linalg.solve(fitted.covariance_, (1 - fitted.shrinkage_) * between))
    assert hscore(x, y) == pytest.approx(expected, rel=1e-8)


def naive_knn(x: np.ndarray, y: np.ndarray, k: int) -> float:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    credit = 0.0
    for i in range(len(y)):
        others = sorted((j for j in range(len(y)) if j != i), key=lambda j: -(unit[i] @ unit[j]))
        votes = Counter(y[others[:k]].tolist())
        tied = [label for label, count in votes.items() if count == max(votes.values())]
        credit += (y[i] in tied) / len(tied)
    return credit / len(y)


@pytest.mark.parametrize("k", [1, 5, 1000])
def test_knn_equals_a_double_loop_however_it_is_blocked(k, features, monkeypatch):
    x, y = features(60, 8, 3)
    monkeypatch.setattr("translearn.ranking.scores._knn._BLOCK_VALUES", 60 * 7)
    assert knn(x, y, k=k) == pytest.approx(naive_knn(x, y, min(k, 59)), abs=1e-12)


def test_knn_by_the_products_of_rows_is_the_same(features):
    x, y = features(60, 8, 3)
    x[:3] = 0
    assert knn(x, y, gram=9 * x @ x.T) == pytest.approx(knn(x, y), abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_probe_equals_ridge_heads_trained_without_each_example(shape, features):
    x, y = features(*shape)
    scaled = x / np.abs(x).max()
    largest = np.linalg.eigvalsh((scaled - scaled.mean(0)).T @ (scaled - scaled.mean(0)))[-1]
    indicators = np.eye(shape[2])[y]

    def left_out(penalty: float) -> np.ndarray:
        heads = [Ridge(penalty * largest) for _ in y]
        kept = [np.arange(len(y)) != i for i in range(len(y))]
        return np.array(
            [h.fit(scaled[k], indicators[k]).predict(scaled[~k])[0] for h, k in zip(heads, kept, strict=True)]
        )

    predictions = min((left_out(p) for p in PENALTIES[4:]), key=lambda p: ((p - indicators) ** 2).sum())
    assert linear_probe(x, y) == pytest.approx((predictions.argmax(axis=1) == y).mean())


def naive_leep(theta: np.ndarray, y: np.ndarray) -> float:
    num, num_source = theta.shape
    total = 0.0
    for i in range(num):
        likelihood = 0.0
        for z in range(num_source):
            mass = theta[:, z].sum()
            if mass > 0:
                likelihood += theta[y == y[i], z].sum() / mass * theta[i, z]
        total += np.log(likelihood)
    return total / num


def test_leep_equals_loops_over_examples_and_source_classes(probabilities):
    theta, y = probabilities(40, 7, 3)
    assert leep(theta, y) == pytest.approx(naive_leep(theta, y), rel=1e-12)


def test_nce_equals_the_entropy_of_labels_less_their_mutual_information(probabilities):
    from sklearn.metrics import mutual_info_score

    theta, y = probabilities(60, 7, 3)
    share = np.bincount(y) / len(y)
    entropy = -(share * np.log(share)).sum()
    assert nce(theta, y) == pytest.approx(mutual_info_score(y, theta.argmax(axis=1)) - entropy, rel=1e-10)


def test_leep_of_certain_predictions_is_nce(probabilities):
    theta, y = probabilities(60, 7, 3)
    certain = np.eye(7)[theta.argmax(axis=1)]
    assert leep(certain, y) == pytest.approx(nce(theta, y), rel=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_transrate_equals_determinants_weighted_by_class_size(shape, features):
    x, y = features(*shape)
    z = x - x.mean(axis=0)

    def rate(rows: np.ndarray) -> float:
        return np.linalg.slogdet(np.eye(shape[1]) + rows.T @ rows / (len(rows) * 1e-4))[1] / 2

    expected = rate(z) - sum((y == c).mean() * rate(z[y == c]) for c in range(shape[2]))
    assert transrate(x, y) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_parc_equals_correlations_pair_by_pair(shape, features):
    x, y = features(*shape)
    components = PCA(5, svd_solver="full").fit_transform(x)
    flip = np.sign(components[np.abs(components).argmax(axis=0), range(5)])
    standard = components * flip / components.std(axis=0)
    labels = np.eye(shape[2])[y]
    pairs = np.triu_indices(len(y), 1)
    feature_rank, label_rank = (rankdata((1 - np.corrcoef(rows))[pairs].round(9)) for rows in (standard, labels))
    expected = 100 * np.corrcoef(feature_rank, label_rank)[0, 1]
    assert parc(x, y, num_components=5) == pytest.approx(expected, abs=1e-6)


def test_gbc_equals_the_dense_bhattacharyya_coefficients(features):
    x, y = features(60, 8, 3)
    reduced = PCA(4, svd_solver="full").fit_transform(x)
    gaussians = [(g.mean(0), np.eye(4) * ((g - g.mean(0)) ** 2).mean()) for g in (reduced[y == c] for c in range(3))]
    expected = 0.0
    for i, (mean_i, cov_i) in enumerate(gaussians):
        for j, (mean_j, cov_j) in enumerate(gaussians):
            cov = (cov_i + cov_j) / 2
            dets = [np.linalg.det(m) for m in (cov, cov_i, cov_j)]
            shift = (mean_i - mean_j) @ np.linalg.solve(cov, mean_i - mean_j) / 8
            expected -= (i != j) * np.exp(-shift - np.log(dets[0] / np.sqrt(dets[1] * dets[2])) / 2)
    assert gbc(x, y, num_components=4) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_the_fitted_probe_is_the_ridge_regression_of_the_penalty_with_the_lowest_left_out_error(shape, features):
    x, y = features(*shape, shift=0.5)
    x, targets = 7 * x + 3, np.eye(shape[2] + 1)[y]  # the last class has no example
    scaled = x / np.abs(x).max()
    largest = np.linalg.eigvalsh(np.cov(scaled.T, bias=True) * len(x))[-1]

    def left_out_error(penalty: float) -> float:
        found = 0.0
        for one in range(len(x)):
            rest = np.arange(len(x)) != one
            ridge = Ridge(alpha=penalty).fit(scaled[rest], targets[rest])
            found += np.sum((ridge.predict(scaled[[one]]) - targets[one]) ** 2)
        return found

    best = min(PENALTIES * largest, key=left_out_error)
    expected = Ridge(alpha=best).fit(scaled, targets)
    weights, biases = fit_linear_probe(x, y, shape[2] + 1)
    np.testing.assert_allclose(x @ weights.T + biases, expected.predict(scaled), atol=1e-4)
    np.testing.assert_allclose(biases[-1], 0, atol=1e-9)
