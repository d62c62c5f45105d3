"""Batches: every example once an epoch, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.data.batches import epoch_batches, num_steps, worker_part

N, BATCH = st.integers(1, 300), st.integers(1, 64)


@settings(max_examples=100, deadline=None)
@given(N, BATCH, st.integers(0, 2**31), st.integers(1, 50))
def test_an_epoch_has_every_example_once_in_batches_of_one_size_to_within_one(n, batch, seed, epoch) -> None:
    batches = epoch_batches(n, batch, seed, epoch)
    sizes = [len(rows) for rows in batches]
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert len(batches) == num_steps(n, batch)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= batch or (batch, max(sizes)) == (2, 3)
    assert min(sizes) > 1 or n == 1 or batch == 1
    assert len(batches) == -(-n // batch) or batch == 2


def test_sizes_of_batches() -> None:
    assert [len(rows) for rows in epoch_batches(50, 8, 0, 1)] == [8, 7, 7, 7, 7, 7, 7]
    assert [len(rows) for rows in epoch_batches(16, 8, 0, 1)] == [8, 8]
    assert [len(rows) for rows in epoch_batches(9, 8, 0, 1)] == [5, 4]
    assert [len(rows) for rows in epoch_batches(5, 2, 0, 1)] == [3, 2]
    assert [len(rows) for rows in epoch_batches(3, 2, 0, 1)] == [3]
    assert [len(rows) for rows in epoch_batches(3, 1, 0, 1)] == [1, 1, 1]


@settings(max_examples=100, deadline=None)
@given(N, BATCH, st.integers(1, 12))
def test_a_workers_shares_of_an_epoch_are_of_one_size_to_within_one(n, batch, workers) -> None:
    batches = epoch_batches(n, batch, 0, 1)
    sizes = [len(worker_part(rows, rank, workers)) for rows in batches for rank in range(workers)]
    assert max(sizes) - min(sizes) <= 1


def order(seed: int, epoch: int, batch: int = 7) -> list[int]:
    return np.concatenate(epoch_batches(50, batch, seed, epoch)).tolist()


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    # NumPy's global state must not matter.
    np.random.seed(1)
    first = order(3, 2)
    np.random.seed(2)
    assert order(3, 2) == first == order(3, 2, batch=20)
    orders = [order(seed, epoch) for seed in range(3) for epoch in range(1, 4)]
    assert len({tuple(rows) for rows in orders}) == 9
    assert list(range(50)) not in orders


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 5))
def test_workers_shares_partition_a_batch_in_order(size: int, workers: int, seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(1000)[:size]
    parts = [worker_part(rows, rank, workers) for rank in range(workers)]
    assert np.concatenate(parts).tolist() == rows.tolist()
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
