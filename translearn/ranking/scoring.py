"""The scores of a source at each of its stages, with intervals and with what they cost."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import ThreadpoolController

from translearn.ranking.scores import FEATURE_SCORES, PROBABILITY_SCORES, Score
from translearn.ranking.subsamples import Spread, spread, subsamples

#: Computed at the last stage alone: to fit a mixture costs several times what any other score does (docs/ranking.md).
LAST_STAGE_SCORES = ("nleep",)
#: Shares of the examples.
ACCURACIES = ("knn", "linear_probe")
#: Smaller matrices are decomposed faster by one thread: by two, 3 times slower at 100 x 512, 1.5 times faster at 2000 x
#: 2048 (2 cores, OpenBLAS of NumPy and SciPy).
_THREADED_SIZE = 1000


@dataclass(frozen=True, eq=False)
class StageFeatures:
    """Features of the same images at every freeze depth of a source.

    Attributes:
        features: By freeze depth d, from 1 to the number of stages: float32, shape (N, C_d), the spatial mean of the
            output of the first d stages; at the last depth the input of the head.
        probabilities: float64, shape (N, Z): the source head's; None where the source has no head.
    """

    features: Mapping[int, np.ndarray]
    probabilities: np.ndarray | None

    @property
    def last(self) -> np.ndarray:
        """The features at the last depth, (N, D)."""
        return self.features[max(self.features)]


@dataclass(frozen=True)
class StageScore:
    """A score of a source at a freeze depth.

    Attributes:
        score: Its name.
        depth: The freeze depth; scores of the source head's probabilities have the last one.
        spread: The value and its interval.
        seconds: Wall time, interval included.
    """

    score: str
    depth: int
    spread: Spread
    seconds: float


def stage_scores(found: StageFeatures, labels: np.ndarray, seed: int) -> list[StageScore]:
    """Every score that applies, from the first stage to the last.

    Args:
        found: Features of N images.
        labels: Integers, shape (N,), at least 2 classes.
        seed: The study's seed: sources that are scored on the same images share their subsamples.
    """
    last, drawn = max(found.features), subsamples(labels, seed)
    todo = [
        (name, score, depth, features)
        for depth, features in found.features.items()
        for name, score in FEATURE_SCORES.items()
        if depth == last or name not in LAST_STAGE_SCORES
    ]
    if found.probabilities is not None:
        todo += [(name, score, last, found.probabilities) for name, score in PROBABILITY_SCORES.items()]
    return [_measured(*one, labels, drawn) for one in todo]


@functools.cache
def _blas() -> ThreadpoolController:
    """Kept, because to look for the libraries takes as long as a score of few images."""
    return ThreadpoolController()


def _measured(
    name: str, score: Score, depth: int, inputs: np.ndarray, labels: np.ndarray, drawn: list[np.ndarray]
) -> StageScore:
    threads = 1 if min(inputs.shape) < _THREADED_SIZE else None
    blas = _blas()
    started = time.perf_counter()
    statistic = functools.partial(_on_rows, score, inputs, labels)
    with blas.limit(limits=threads, user_api="blas"):
        found = spread(statistic, len(labels), drawn, is_accuracy=name in ACCURACIES)
    return StageScore(name, depth, found, time.perf_counter() - started)


def _on_rows(score: Score, inputs: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    return score(inputs[rows], labels[rows])
