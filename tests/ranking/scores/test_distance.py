from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from translearn.errors import InputError
from translearn.ranking.distance import frechet_distance, proxy_a_distance


def two_sets(num: int, other: int, dim: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(num, dim)) @ rng.normal(size=(dim, dim)), rng.normal(size=(other, dim)) * 2 + shift


@pytest.mark.parametrize("sizes", [(50, 40, 6), (9, 12, 30), (40, 5, 10)])
def test_frechet_equals_the_form_with_a_matrix_root(sizes):
    x, z = two_sets(*sizes, shift=0.5)
    s_x, s_z = np.cov(x.T), np.cov(z.T)
    # The root of a singular product is inexact: the symmetric form S^1/2 T S^1/2 is not.
    values, vectors = np.linalg.eigh(s_x)
    half = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ s_z @ half), 0)).sum()
    expected = ((x.mean(0) - z.mean(0)) ** 2).sum() + np.trace(s_x) + np.trace(s_z) - 2 * overlap
    assert frechet_distance(x, z) == pytest.approx(expected, rel=1e-5)


def test_frechet_equals_sqrtm_where_covariances_are_regular():
    x, z = two_sets(50, 40, 6, shift=0.5)
    s_x, s_z = np.cov(x.T), np.cov(z.T)
    expected = ((x.mean(0) - z.mean(0)) ** 2).sum() + np.trace(s_x + s_z - 2 * sqrtm(s_x @ s_z).real)
    assert frechet_distance(x, z) == pytest.approx(expected, rel=1e-8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20), move=st.floats(-5, 5))
def test_frechet_of_a_moved_copy_is_the_squared_move_and_it_is_symmetric(seed, move):
    x, z = two_sets(20, 15, 4, shift=1.0, seed=seed)
    size = 1 + (x**2).sum()
    assert frechet_distance(x, x + move) == pytest.approx(4 * move**2, abs=1e-10 * size)
    assert frechet_distance(x, z) == pytest.approx(frechet_distance(z, x), rel=1e-9)


def test_proxy_a_distance_goes_from_zero_to_two():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    distances = [proxy_a_distance(x, rng.normal(size=(200, 5)) + shift) for shift in (0.0, 0.5, 10.0)]
    assert distances[0] < 0.3
    assert distances[0] < distances[1] < distances[2] == pytest.approx(2.0)


def test_proxy_a_distance_of_equal_sets_is_zero_and_uneven_sets_do_not_look_apart():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 5))
    assert proxy_a_distance(x, x) == 0.0
    assert proxy_a_distance(x, rng.normal(size=(2000, 5))) < 0.5


def test_bad_sets_say_what_is_wrong():
    with pytest.raises(InputError) as caught:
        frechet_distance(np.ones((3, 4)), np.ones((3, 5)))
    assert str(caught.value) == (
        "target: must have the columns of source, but got 4 and 5 columns. Use one backbone for both."
    )
    with pytest.raises(InputError, match="source: must have a row an example"):
        proxy_a_distance(np.ones((1, 4)), np.ones((3, 4)))
