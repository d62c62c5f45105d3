"""Comparison of an exported file with the network that it was made of: probabilities, decisions, errors, time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from translearn.deploy.export.formats import Run

#: Seconds after which no further turn of measuring starts; there are three turns at least and twenty at most.
BUDGET_S = 1.0


@dataclass(frozen=True)
class Comparison:
    """The predictions of a file and of its network for the same images.

    Attributes:
        num: How many images.
        changed: For how many of them the file names another class.
        largest: The largest difference of a probability, 0 to 1.
        wrong: For how many of them the network, and the file, names a wrong class; None where labels are not known.
    """

    num: int
    changed: int
    largest: float
    wrong: tuple[int, int] | None

    def __len__(self) -> int:
        return self.num

    @property
    def errors(self) -> tuple[float, float] | None:
        """The share of images that the network, and the file, classifies wrongly; lower is better."""
        return None if self.wrong is None else (self.wrong[0] / self.num, self.wrong[1] / self.num)


def compare(expected_NC: np.ndarray, found_NC: np.ndarray, labels: Sequence[int] | None) -> Comparison:
    """Compare the probabilities of a file with those of its network; ``labels`` are indices of classes."""
    decisions = expected_NC.argmax(axis=1), found_NC.argmax(axis=1)
    wrong = None if labels is None else tuple(int((chosen != np.asarray(labels)).sum()) for chosen in decisions)
    return Comparison(
        num=len(expected_NC),
        changed=int((decisions[0] != decisions[1]).sum()),
        largest=float(np.abs(expected_NC - found_NC).max(initial=0.0)),
        wrong=None if wrong is None else (wrong[0], wrong[1]),
    )


def total(parts: Iterable[Comparison]) -> Comparison:
    """Return the comparison on the images of all parts."""
    listed = list(parts)
    wrongs = [part.wrong for part in listed if part.wrong is not None]
    known = bool(listed) and len(wrongs) == len(listed)
    return Comparison(
        num=sum(part.num for part in listed),
        changed=sum(part.changed for part in listed),
        largest=max((part.largest for part in listed), default=0.0),
        wrong=(sum(wrong[0] for wrong in wrongs), sum(wrong[1] for wrong in wrongs)) if known else None,
    )


def latencies_ms(runs: Mapping[str, Run], images_NSSC: np.ndarray) -> dict[str, float]:
    """Return the median milliseconds an image of each run, called in turn: a drift of the machine meets all alike.

    Args:
        runs: By name.
        images_NSSC: What each is called with.
    """
    for run in runs.values():
        run(images_NSSC)  # the first call prepares much
    found: dict[str, list[float]] = {name: [] for name in runs}
    end, turns = time.perf_counter() + BUDGET_S, 0
    while turns < 3 or (turns < 20 and time.perf_counter() < end):
        for name, run in runs.items():
            found[name].append(_seconds(run, images_NSSC))
        turns += 1
    return {name: 1000 * statistics.median(seconds) / len(images_NSSC) for name, seconds in found.items()}


def _seconds(run: Run, images_NSSC: np.ndarray) -> float:
    started = time.perf_counter()
    run(images_NSSC)
    return time.perf_counter() - started
