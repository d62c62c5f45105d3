"""The error of a source on its own data: weights that are read otherwise than they were trained show there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.evaluation.intervals.interval import wilson

_ABSURD = 0.5  # of the error of always giving one answer


@dataclass(frozen=True)
class SourceError:
    """Error of a source's own head on images of its own task.

    Attributes:
        value: Share of images classified wrongly, 0 to 1, lower is better.
        low: Lower end of its interval (Wilson, 95 %).
        guessing: The error of always answering the most frequent class of these images.
        num_examples: Images that it was measured on.
    """

    value: float
    low: float
    guessing: float
    num_examples: int

    @property
    def is_absurd(self) -> bool:
        """Whether it is shown to be more than half of the error of guessing: few sources are trained so badly."""
        return self.low > _ABSURD * self.guessing


def source_error(probabilities_NZ: np.ndarray, labels_N: np.ndarray) -> SourceError:
    """Return the error of a source's predictions.

    Args:
        probabilities_NZ: float64, shape (N, Z).
        labels_N: Integers, shape (N,), of N images, at least one.
    """
    wrong, num = int((probabilities_NZ.argmax(1) != labels_N).sum()), len(labels_N)
    guessing = 1 - np.bincount(labels_N).max() / num
    return SourceError(wrong / num, wilson(wrong, num).low, float(guessing), num)
