"""Selection optimism: the difference between the validation error that chose a configuration and its test error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from translearn.evaluation.intervals.interval import by_picture, summed_half_width, variance_parts
from translearn.evaluation.predictions import Predictions

Figure = dict[str, float]


def optimism(
    search_error: float | None, validation: Sequence[Predictions], test: Sequence[Predictions]
) -> dict[str, Figure | None]:
    """Return validation minus test error of one configuration; negative where validation was too optimistic.

    Args:
        search_error: The validation error of its trial, which was the lowest of many; None where it is not known.
        validation: The refits' predictions on validation, one a seed.
        test: Theirs on test, in the same order.

    Returns:
        ``search`` (of the trial) and ``refits`` (mean over seeds), each ``value, low, high`` over the examples of both
        splits and over seeds. The test error is the refits' in both.
    """
    validation_SN, test_SN = (
        by_picture(np.stack([p.errors for p in part]).astype(np.float64), part[0].pictures)
        for part in (validation, test)
    )
    return {
        "search": _of_search(search_error, validation_SN, test_SN) if search_error is not None else None,
        "refits": _of_refits(validation_SN, test_SN),
    }


def _of_refits(validation_SN: np.ndarray, test_SN: np.ndarray) -> Figure:
    differences = validation_SN.mean(axis=1) - test_SN.mean(axis=1)
    num_seeds = len(differences)
    seeds = float(differences.var(ddof=1)) / num_seeds if num_seeds > 1 else 0.0
    parts = [_examples(validation_SN), _examples(test_SN), (seeds, num_seeds - 1)]
    return _figure(float(differences.mean()), parts)


def _of_search(search_error: float, validation_SN: np.ndarray, test_SN: np.ndarray) -> Figure:
    num_seeds, num = validation_SN.shape
    _, of_test = variance_parts(test_SN)
    # The trial had one seed: the refits tell how much a single one varies.
    one_seed = float(validation_SN.mean(axis=1).var(ddof=1)) if num_seeds > 1 else 0.0
    own = search_error * (1 - search_error) / max(num - 1, 1) + 1 / num**2, num - 1
    parts = [own, _examples(test_SN), (of_test + one_seed, num_seeds - 1)]
    return _figure(search_error - float(test_SN.mean()), parts)


def _examples(errors_SN: np.ndarray) -> tuple[float, int]:
    num_seeds, num = errors_SN.shape
    variance, _ = variance_parts(errors_SN)
    return variance + 1 / (num_seeds * num**2), num - 1


def _figure(value: float, parts: list[tuple[float, int]]) -> Figure:
    half = summed_half_width(parts)
    return {"value": value, "low": max(-1.0, value - half), "high": min(1.0, value + half)}
