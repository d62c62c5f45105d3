"""The scores of a source at each of its stages, with intervals and with what they cost."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import ThreadpoolController

from translearn.ranking.scores import DEFAULT_SCORES, FEATURE_SCORES, PROBABILITY_SCORES, Score, unit_scale
from translearn.ranking.subsamples import Spread, spread, subsamples

#: Computed at the last stage alone: to fit a mixture costs several times what any other score does (docs/ranking.md).
LAST_STAGE_SCORES = ("nleep",)
#: Shares of the examples.
ACCURACIES = ("knn", "linear_probe")
#: Scores of the freeze depth's rule (``decisions.freeze_depth``): those whose values at different depths compare.
DEPTH_SCORES = ("knn", "linear_probe", "logme")
_BY_GRAM = ("knn", "logme")
_MOST_IN_GRAM = 4096  # examples: 134 MB
Subsamples = Sequence[np.ndarray]
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


def stage_scores(
    found: StageFeatures, labels: np.ndarray, seed: int, wanted: Literal["order", "all"] = "all"
) -> list[StageScore]:
    """Return the scores of a source at its stages.

    Args:
        found: Features of N images.
        labels: Integers, shape (N,), at least 2 classes.
        seed: The study's seed: sources that are scored on the same images share their subsamples.
        wanted: ``all``: every score that applies, at every stage, with intervals. ``order``: only those that order and
            drop sources and recommend freeze depths, at the stages that count, with intervals where these rest on
            them: of the order's scores at the last stage and where they are highest.
    """
    drawn = subsamples(labels, seed)
    known = {depth: Stage(features, labels) for depth, features in found.features.items()}
    scores = _every(known, drawn) if wanted == "all" else _of_order(known, drawn)
    if found.probabilities is not None:
        source_head = Stage(found.probabilities, labels)
        scores += [source_head.measured(name, score, max(known), drawn) for name, score in PROBABILITY_SCORES.items()]
    return scores


def _every(stages: Mapping[int, Stage], drawn: Subsamples) -> list[StageScore]:
    return [
        stage.measured(name, score, depth, drawn)
        for depth, stage in stages.items()
        for name, score in FEATURE_SCORES.items()
        if depth == max(stages) or name not in LAST_STAGE_SCORES
    ]


def _of_order(stages: Mapping[int, Stage], drawn: Subsamples) -> list[StageScore]:
    num, width = stages[max(stages)].inputs.shape
    # The H-score of more features than images never counts: ``decisions.combined_scores``.
    names = [name for name in FEATURE_SCORES if name in DEFAULT_SCORES and (name != "hscore" or width <= num)]
    found = [one for name in names for one in _with_intervals(name, stages, drawn)]
    early = [(depth, stages[depth]) for depth in sorted(stages)[: num_compared(len(stages))]]
    more = [name for name in DEPTH_SCORES if name not in names]
    return found + [stage.measured(name, FEATURE_SCORES[name], depth) for name in more for depth, stage in early]


def num_compared(num_stages: int) -> int:
    """Return how many stages, from the first on, the freeze depth's rule compares: at most half may be frozen."""
    return num_stages // 2 + 1


def _with_intervals(name: str, stages: Mapping[int, Stage], drawn: Subsamples) -> Iterable[StageScore]:
    """Return a score at every stage, with its interval at the last one and where it is highest."""
    score, last = FEATURE_SCORES[name], max(stages)
    found = {
        depth: stage.measured(name, score, depth, drawn if depth == last else ()) for depth, stage in stages.items()
    }
    best = max(found, key=lambda depth: found[depth].spread.value)
    if best != last:
        found[best] = stages[best].measured(name, score, best, drawn)
    return found.values()


@dataclass(frozen=True, eq=False)
class Stage:
    """Features or probabilities of N images, and their labels, to be scored."""

    inputs: np.ndarray
    labels: np.ndarray

    @functools.cached_property
    def gram(self) -> np.ndarray | None:
        """F F' at some scale, (N, N), of which subsamples take their part; None where it would need much memory."""
        if len(self.inputs) > _MOST_IN_GRAM:
            return None
        scaled = unit_scale(self._converted, centre=False)
        return np.asarray(scaled @ scaled.T)

    @functools.cached_property
    def _converted(self) -> np.ndarray:
        """The inputs as scores take them, so that each subsample is not converted anew; where memory allows it."""
        return self.inputs if len(self.inputs) > _MOST_IN_GRAM else self.inputs.astype(np.float64)

    def measured(self, name: str, score: Score, depth: int, drawn: Subsamples = ()) -> StageScore:
        """Return a score with its interval; without one where no subsamples are given."""
        threads = 1 if min(self.inputs.shape) < _THREADED_SIZE else None
        blas = _blas()
        started = time.perf_counter()
        statistic = functools.partial(self._on_rows, score, name in _BY_GRAM)
        with blas.limit(limits=threads, user_api="blas"):
            found = spread(statistic, len(self.labels), drawn, is_accuracy=name in ACCURACIES)
        return StageScore(name, depth, found, time.perf_counter() - started)

    def _on_rows(self, score: Score, by_gram: bool, rows: np.ndarray) -> float:
        gram = self.gram if by_gram else None
        more = {} if gram is None else {"gram": gram[np.ix_(rows, rows)]}
        return score(self._converted[rows], self.labels[rows], **more)


@functools.cache
def _blas() -> ThreadpoolController:
    """Kept, because to look for the libraries takes as long as a score of few images."""
    return ThreadpoolController()
