"""Seeds and generators: the same everywhere, independent of order, and really random."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.seeds import derive_seed, example_key, generator, uniforms

U64 = st.integers(0, 2**64 - 1)
MASK = 2**64 - 1


def mix(z: int) -> int:
    """The output function of SplitMix64 on Python's integers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def splitmix(state: int, num: int) -> list[int]:
    return [mix(state + step * 0x9E3779B97F4A7C15 & MASK) for step in range(1, num + 1)]


def test_the_reference_is_splitmix64() -> None:
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]  # of seed 1234567
    assert splitmix(1234567, 3) == published


@settings(max_examples=50, deadline=None)
@given(st.lists(U64, min_size=1, max_size=5), st.integers(0, 2**63 - 1))
def test_uniforms_are_splitmix64s_upper_53_bits(keys: list[int], seed: int) -> None:
    expected = [[x >> 11 for x in splitmix(mix(key ^ mix(seed)), 4)] for key in keys]
    found = uniforms(np.array(keys, dtype=np.uint64), seed, 4)
    assert (found * 2.0**53).astype(np.int64).tolist() == expected
    assert found.dtype == np.float64


@settings(max_examples=25, deadline=None)
@given(st.lists(U64, min_size=1, max_size=20), st.integers(0, 2**63 - 1), st.randoms())
def test_an_examples_numbers_do_not_depend_on_the_others(keys: list[int], seed: int, random) -> None:
    order = random.sample(range(len(keys)), random.randint(1, len(keys)))
    array = np.array(keys, dtype=np.uint64)
    assert np.array_equal(uniforms(array[order], seed, 3), uniforms(array, seed, 3)[order])
    assert np.array_equal(uniforms(array, seed, 5)[:, :3], uniforms(array, seed, 3))


def test_uniforms_fill_the_unit_interval_evenly_for_consecutive_keys_and_seeds() -> None:
    numbers = np.stack([uniforms(np.arange(2000, dtype=np.uint64), seed, 3) for seed in range(3)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    expected = numbers.size / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001
    columns = numbers.transpose(0, 2, 1).reshape(9, 2000)
    assert np.abs(np.corrcoef(columns) - np.eye(9)).max() < 0.1


def test_no_example_has_no_numbers() -> None:
    assert uniforms(np.zeros(0, dtype=np.uint64), 0, 5).shape == (0, 5)


def test_seeds_are_the_published_hash_of_the_names() -> None:
    digest = hashlib.sha256(b"3\x1fhead\x1fimagenet").digest()
    assert derive_seed(3, "head", "imagenet") == int.from_bytes(digest[:8], "big") // 2
    assert example_key("a/1.jpg") == int.from_bytes(hashlib.sha256(b"a/1.jpg").digest()[:8], "big")


@settings(max_examples=50, deadline=None)
@given(st.integers(), st.lists(st.text(max_size=5) | st.integers(), max_size=3))
def test_seeds_fit_every_generator(root: int, names: list[object]) -> None:
    seed = derive_seed(root, *names)
    assert 0 <= seed < 2**63
    assert generator(root, *names).integers(2**60) == np.random.Generator(np.random.PCG64(seed)).integers(2**60)


@pytest.mark.parametrize("other", [(1, "order", 1), (0, "augment", 1), (0, "order", 2), (0, "order"), (0, "order1")])
def test_another_root_purpose_or_epoch_is_another_seed(other: tuple) -> None:
    assert derive_seed(*other) != derive_seed(0, "order", 1)
