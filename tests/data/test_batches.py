"""Batches: every example once an epoch, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.data.batches import epoch_batches, num_steps, worker_part

N, BATCH = st.integers(1, 300), st.integers(2, 64)


@settings(max_examples=100, deadline=None)
@given(N, BATCH, st.integers(0, 2**31), st.integers(1, 50))
def test_an_epoch_has_every_example_once_in_batches_of_one_size_but_the_last(n, batch, seed, epoch) -> None:
    batches = epoch_batches(n, batch, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert len(batches) == num_steps(n, batch)
    assert all(len(rows) == batch for rows in batches[:-1])
    assert len(batches[-1]) <= batch + 1
    assert len(batches[-1]) > 1 or n == 1


def test_a_remainder_of_one_joins_the_batch_before_it() -> None:
    assert [len(rows) for rows in epoch_batches(13, 4, 0, 1)] == [4, 4, 5]
    assert [len(rows) for rows in epoch_batches(14, 4, 0, 1)] == [4, 4, 4, 2]
    assert [len(rows) for rows in epoch_batches(5, 4, 0, 1)] == [5]
    assert [len(rows) for rows in epoch_batches(3, 4, 0, 1)] == [3]


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
