"""The uncertainty of a score: its spread over subsamples of the examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from translearn import seeds

NUM_SUBSAMPLES = 20
_PART, _LEVEL = 2 / 3, 0.95


@dataclass(frozen=True)
class Spread:
    """A statistic of a set of examples.

    Attributes:
        value: On all examples.
        standard_error: Infinite where there are no examples to leave out, or no interval was wanted.
        is_share: Whether it is in [0, 1], where its interval ends too.
    """

    value: float
    standard_error: float
    is_share: bool = False

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval."""
        return float(student_t.ppf((1 + _LEVEL) / 2, NUM_SUBSAMPLES - 1) * self.standard_error)

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        end = self.value - self.margin
        return max(0.0, end) if self.is_share else end

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        end = self.value + self.margin
        return min(1.0, end) if self.is_share else end


def subsamples(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return rows of subsamples of about two thirds of each class, without repetition; every class stays.

    Args:
        labels: Integers, shape (N,).
        seed: The study's seed: the same labels and seed give the same subsamples, so that sources pair up.
    """
    draws = [seeds.generator(seed, "subsample", index) for index in range(NUM_SUBSAMPLES)]
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [np.sort(np.concatenate([_part(rows, draw) for rows in classes])) for draw in draws]


def _part(rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    # Rounded up or down at random: of two examples one or both stay.
    return draw.permutation(rows)[: max(1, int(_PART * len(rows) + draw.uniform()))]


def spread(
    statistic: Callable[[np.ndarray], float],
    num_examples: int,
    drawn: Sequence[np.ndarray],
    *,
    is_accuracy: bool = False,
) -> Spread:
    """Return a statistic with its interval: the delete-d jackknife.

    Examples are left out rather than drawn with repetition: a nearest neighbour that is a copy of the example would be
    right always. A smooth statistic on m of N examples varies by N/m - 1 times the variance that it has on N, whatever
    its bias at m is; so the spread over subsamples, scaled, is the standard error. The interval is the value plus and
    minus that times Student's t.

    Args:
        statistic: From rows to a number.
        num_examples: N.
        drawn: As ``subsamples`` gives them; none where no interval is wanted.
        is_accuracy: Whether it is a share of the examples: the standard error is then at least that of a share, with a
            success and a failure added (Agresti & Coull 1998), as few subsamples of few examples may all agree.

    Source: Shao & Wu 1989, Annals of Statistics 17, equation 1.2.
    """
    value, values = statistic(np.arange(num_examples)), [statistic(rows) for rows in drawn]
    size = np.mean([len(rows) for rows in drawn]) if values else num_examples
    if size == num_examples:  # a single example of each class
        return Spread(value, math.inf, is_accuracy)
    error = float(math.sqrt(size / (num_examples - size)) * np.std(values, ddof=1))
    share = (value * num_examples + 1) / (num_examples + 2)
    least = math.sqrt(share * (1 - share) / num_examples) if is_accuracy else 0.0
    return Spread(value, max(error, least), is_accuracy)
