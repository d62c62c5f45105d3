"""Features, probabilities and labels with known structure, for the tests of the scores."""

from __future__ import annotations

import numpy as np

Made = tuple[np.ndarray, np.ndarray]


def make_features(num: int, dim: int, num_classes: int, seed: int = 0, shift: float = 0.7) -> Made:
    """Gaussian classes of uneven sizes, all present, around class means, off the origin."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(num_classes), rng.geometric(0.4, num - num_classes) % num_classes])
    means = rng.normal(size=(num_classes, dim)) * shift
    scales = rng.uniform(0.5, 2.0, size=dim)
    return (rng.normal(size=(num, dim)) + means[y]) * scales + 0.3, y


def make_probabilities(num: int, num_source: int, num_classes: int, seed: int = 0) -> Made:
    """Softmax outputs that depend on the class."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, num - num_classes)])
    logits = rng.normal(size=(num, num_source)) + 2 * rng.normal(size=(num_classes, num_source))[y]
    weights = np.exp(logits)
    return weights / weights.sum(axis=1, keepdims=True), y
