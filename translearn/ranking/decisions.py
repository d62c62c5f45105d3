"""From scores to decisions: the order of the sources, a freeze depth for each, and which are not worth trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from translearn.ranking.combine import mean_rank
from translearn.ranking.scores import DEFAULT_SCORES, PROBABILITY_SCORES
from translearn.ranking.scoring import DEPTH_SCORES, StageScore, num_compared
from translearn.ranking.subsamples import Spread

#: The gap that a source is dropped for, over the sum of the margins of both intervals.
GAP = 0.5
_WORDS = {
    "knn": "kNN",
    "logme": "LogME",
    "hscore": "the H-score",
    "linear_probe": "the linear probe",
    "leep": "LEEP",
    "nce": "NCE",
}


@dataclass(frozen=True)
class Contender:
    """A source to rank.

    Attributes:
        name: The source's.
        scores: At every stage, on the same images for all sources.
        num_classes: Classes of its head; None where it has none.
        num_examples: Images that it was scored on.
        num_features: Features at its last stage.
        static: Static rankers, which never look at the target, by name, higher is better; None where unknown.
    """

    name: str
    scores: tuple[StageScore, ...]
    num_classes: int | None
    num_examples: int
    num_features: int
    static: Mapping[str, float | None]

    def at(self, score: str) -> dict[int, Spread]:
        """Return a score by freeze depth, ascending."""
        return {one.depth: one.spread for one in self.scores if one.score == score}

    def last(self, score: str) -> Spread:
        """Return a score at the last depth."""
        found = self.at(score)
        return found[max(found)]

    def best(self, score: str) -> Spread:
        """Return a score at the depth where it is highest."""
        return max(self.at(score).values(), key=lambda found: found.value)


@dataclass(frozen=True)
class Ranked:
    """The conclusions that the scores allow about a source.

    Attributes:
        name: The source's.
        mean_rank: Its relative rank by the combined scores, in (0, 1), higher is better.
        weight: Its expected relative rank, given how sure the scores are, as a share among the sources that are kept;
            0 where it is dropped.
        freeze_depth: The recommended one.
        is_dropped: Whether the evidence allows to give it no trials.
        why: Why it is dropped or kept.
    """

    name: str
    mean_rank: float
    weight: float
    freeze_depth: int
    is_dropped: bool
    why: str


@dataclass(frozen=True)
class Ranking:
    """Sources, best first, and the scores that their order is made of."""

    scores: tuple[str, ...]
    sources: tuple[Ranked, ...]


def ranked(pool: Sequence[Contender]) -> Ranking:
    """Rank sources by the default scores at their last stage.

    Args:
        pool: At least one source.
    """
    names = combined_scores(pool)
    ranks = mean_rank({name: [one.last(name).value for one in pool] for name in names})
    order = sorted(range(len(pool)), key=lambda place: (-ranks[place], place))
    reasons = {place: _why_kept(pool[place], pool[order[0]], names) for place in order}
    weights = _weights(pool, names) * [bool(reasons[place]) for place in range(len(pool))]
    weights /= weights.sum()
    dropped = f"every score lies below that of {pool[order[0]].name}, by more than the intervals"
    return Ranking(
        names,
        tuple(
            Ranked(
                name=pool[place].name,
                mean_rank=float(ranks[place]),
                weight=float(weights[place]),
                freeze_depth=freeze_depth(pool[place]),
                is_dropped=not reasons[place],
                why=reasons[place] or dropped,
            )
            for place in order
        ),
    )


def combined_scores(pool: Sequence[Contender]) -> tuple[str, ...]:
    """Return the default scores that compare between all sources of the pool.

    LEEP and NCE rise with the number of source classes, whatever they are worth: they count where all heads have
    equally many. The H-score comes near its bound, C - 1, for any source with more features than there are images: it
    counts where no source has.
    """
    sizes = {one.num_classes for one in pool}
    heads_compare = len(sizes) == 1 and None not in sizes
    left_out = set() if heads_compare else set(PROBABILITY_SCORES)
    if any(one.num_features > one.num_examples for one in pool):
        left_out.add("hscore")
    return tuple(name for name in DEFAULT_SCORES if name not in left_out)


def freeze_depth(source: Contender) -> int:
    """Return how many stages may stay frozen: those that the next stage still improves on, at most half of all.

    A stage improves where two of the three scores rise from the stage before. What this is worth:
    ``benchmarks/choosing.py``.
    """
    num = num_compared(len(source.at(DEFAULT_SCORES[0])))
    columns = [[found.value for found in source.at(name).values()][:num] for name in DEPTH_SCORES]
    rises = (np.diff(columns, axis=1) > 0).sum(axis=0) >= 2
    return int(np.argmin(np.append(rises, False)))


def _why_kept(source: Contender, best: Contender, names: Sequence[str]) -> str:
    """Return why a source has trials; empty where the evidence allows to give it none."""
    if source is best:
        return "ranked first"
    near = [name for name in names if not _is_below(source.best(name), best.best(name))]
    if near:
        *others, last = (_WORDS.get(name, name) for name in near)
        them = f"{', '.join(others)} and {last} do" if others else f"{last} does"
        return f"{them} not show it to be worse"
    above = [name for name, value in source.static.items() if not _is_at_most(value, best.static[name])]
    return f"{', '.join(above)} may rank it higher" if above else ""


def _is_below(one: Spread, other: Spread) -> bool:
    return one.high + GAP * (one.margin + other.margin) < other.low


def _is_at_most(one: float | None, other: float | None) -> bool:
    """Unknown values decide nothing, so they do not speak against a source either way."""
    return one is None or other is None or one <= other


def _weights(pool: Sequence[Contender], names: Sequence[str]) -> np.ndarray:
    """Return each source's expected relative rank, (S,), mean over the scores: unsure scores bring ranks together.

    A score's errors are taken as normal and independent, which is less sure than they are: sources share images.
    """
    return np.asarray(np.mean([_expected_ranks([one.last(name) for one in pool]) for name in names], axis=0))


def _expected_ranks(found: Sequence[Spread]) -> np.ndarray:
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("value", "standard_error"))
    variances_SS = np.maximum(np.add.outer(errors**2, errors**2), np.finfo(np.float64).tiny)
    wins_SS = norm.cdf(np.subtract.outer(values, values) / np.sqrt(variances_SS))
    return np.asarray(wins_SS.mean(axis=1))
