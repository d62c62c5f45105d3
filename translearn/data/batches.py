"""Assignment of examples to batches: a function of (seed, epoch), never of workers or of history."""

from __future__ import annotations

import numpy as np

from translearn.seeds import generator


def epoch_batches(num_examples: int, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the global batches of one epoch: every example once, in random order; sizes differ by one at most.

    A last batch of two, say, would have BatchNorm divide by the variance of two values, and gradients explode.

    Args:
        num_examples: Size N of the training split.
        batch_size: Examples in a global batch, over all workers.
        seed: The run's seed.
        epoch: Counted from 1.

    Returns:
        int64 arrays of rows; together a permutation of 0..N-1.
    """
    order = generator(seed, "order", epoch).permutation(num_examples)
    return np.array_split(order, num_steps(num_examples, batch_size))


def num_steps(num_examples: int, batch_size: int) -> int:
    """Return the number of steps (optimiser updates) in an epoch: the fewest with at most ``batch_size`` examples each.

    No batch has one example where ``batch_size`` is larger, because BatchNorm has no variance over one: of an odd
    number of examples in batches of two, one batch has three.
    """
    fewest = -(-num_examples // batch_size)
    return fewest if batch_size == 1 else max(1, min(fewest, num_examples // 2))


def smallest_part(num_examples: int, batch_size: int, num_workers: int) -> int:
    """Return how many examples a worker has of a batch at least.

    >>> smallest_part(10, 4, 1), smallest_part(10, 4, 2), smallest_part(10, 4, 4)
    (3, 1, 0)
    """
    return num_examples // num_steps(num_examples, batch_size) // num_workers


def worker_part(rows: np.ndarray, rank: int, num_workers: int) -> np.ndarray:
    """Return a worker's share of a global batch or a split: contiguous, sizes differ by at most one, maybe none."""
    return np.array_split(rows, num_workers)[rank]


def worker_part_and_next(rows: np.ndarray, rank: int, num_workers: int) -> np.ndarray:
    """Return a worker's share and the row after it, which is the first one after the last; nothing where it has none.

    >>> [worker_part_and_next(np.array([7, 3, 5]), rank, 2).tolist() for rank in (0, 1)]
    [[7, 3, 5], [5, 7]]
    """
    places = worker_part(np.arange(len(rows)), rank, num_workers)
    return np.asarray(rows[np.append(places, places[-1:] + 1) % len(rows)])
