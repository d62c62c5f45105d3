"""Assignment of examples to batches: a function of (seed, epoch), never of workers or of history."""

from __future__ import annotations

import numpy as np

from translearn.seeds import generator


def epoch_batches(num_examples: int, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the global batches of one epoch: every example once, in random order.

    A remainder of one example joins the batch before it, because BatchNorm has no variance over one.

    Args:
        num_examples: Size N of the training split.
        batch_size: Examples in a global batch, over all workers.
        seed: The run's seed.
        epoch: Counted from 1.

    Returns:
        int64 arrays of rows; together a permutation of 0..N-1.
    """
    order = generator(seed, "order", epoch).permutation(num_examples)
    return np.split(order, _cuts(num_examples, batch_size))


def num_steps(num_examples: int, batch_size: int) -> int:
    """Return the number of steps (optimiser updates) in an epoch."""
    return len(_cuts(num_examples, batch_size)) + 1


def worker_part(rows: np.ndarray, rank: int, num_workers: int) -> np.ndarray:
    """Return a worker's share of a global batch or a split: contiguous, sizes differ by at most one, maybe none."""
    return np.array_split(rows, num_workers)[rank]


def _cuts(num_examples: int, batch_size: int) -> list[int]:
    cuts = list(range(batch_size, num_examples, batch_size))
    if len(cuts) and num_examples - cuts[-1] == 1:
        cuts.pop()
    return cuts
