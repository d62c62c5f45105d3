"""Distances between a source's images and a target's in the source's own features, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from translearn.ranking.distance import frechet_distance, proxy_a_distance
from translearn.ranking.subsamples import Spread, spread, subsamples

#: Images: a subsample of two may have one, which has no variance.
_LEAST = 3


@dataclass(frozen=True)
class Distances:
    """Distances between two sets of images, both lower where they are nearer.

    Attributes:
        frechet: Squared Frechet distance over the total variance of the source's features, at least 0: free of the
            features' scale, so that backbones compare.
        proxy_a: Proxy A-distance, in [0, 2].
        num_source: Images of the source.
        num_target: Images of the target.
    """

    frechet: Spread
    proxy_a: Spread
    num_source: int
    num_target: int


def domain_distances(source: np.ndarray, target: np.ndarray, seed: int) -> Distances | None:
    """Return the distances between features from the source's backbone; None with fewer than 3 images of either.

    Args:
        source: Real, shape (N, D): of the source's images.
        target: Real, shape (M, D): of the target's.
        seed: The study's seed.
    """
    if min(len(source), len(target)) < _LEAST:
        return None
    domains = np.repeat([0, 1], [len(source), len(target)])
    drawn = subsamples(domains, seed)

    def apart(distance: Callable[[np.ndarray, np.ndarray], float]) -> Spread:
        def on_rows(rows: np.ndarray) -> float:
            first = rows < len(source)
            return distance(source[rows[first]], target[rows[~first] - len(source)])

        return spread(on_rows, len(domains), drawn)

    num = 2 * min(len(source), len(target))
    return Distances(apart(_relative_frechet), _floored(apart(proxy_a_distance), num), len(source), len(target))


def _floored(found: Spread, num: int) -> Spread:
    """At least the spread of a share of so many examples: where no subsample mistakes one, a next example still may."""
    wrong = 0.5 - found.value / 4
    share = (wrong * num + 1) / (num + 2)
    return replace(found, standard_error=max(found.standard_error, 4 * math.sqrt(share * (1 - share) / num)))


def _relative_frechet(source: np.ndarray, target: np.ndarray) -> float:
    variance = float(source.var(axis=0, ddof=1, dtype=np.float64).sum())
    return frechet_distance(source, target) / max(variance, np.finfo(np.float64).tiny)
