"""Runs on a part of the training labels: which images, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from translearn.config import StudySpec
from translearn.data.batches import num_steps
from translearn.evaluation.predictions import SCRATCH, TRANSFER
from translearn.seeds import derive_seed, generator
from translearn.study.refits.candidates import Candidate


@dataclass(frozen=True, eq=False)
class LabelRun:
    """One run of a label-efficiency curve.

    Attributes:
        name: Of the run, in ``refit/``.
        role: ``transfer`` or ``scratch``; its best trial is trained.
        candidate: That trial.
        fraction: Of the training labels.
        seed: Of the training; which images are used depends on ``index`` alone.
        index: Which of the draws, from 0.
        rows: int64, ascending: the rows of the training split that are used.
        epochs: So many that the run has as many steps as one with all labels: the same budget. The same number of
            epochs would leave runs of few labels half trained, scratch most of all, and so flatter transfer.
    """

    name: str
    role: str
    candidate: Candidate
    fraction: float
    seed: int
    index: int
    rows: np.ndarray
    epochs: int


def label_runs(spec: StudySpec, labels: np.ndarray, candidates: list[Candidate]) -> Iterator[LabelRun]:
    """Yield the runs of a study's label-efficiency curve, those that share their images together; roles pair up.

    Args:
        spec: The study.
        labels: int64, shape (N,): of the whole training split.
        candidates: What ``pairs`` gave; the best trial with transfer and its scratch are trained. None without both.
    """
    both = best_pair(candidates)
    if len(both) < 2:
        return
    full = spec.refit.epochs * num_steps(len(labels), spec.train.batch_size)
    for index in range(spec.refit.label_seeds):
        order, seed = _order(labels, spec.seed, index), derive_seed(spec.seed, "labels", index) % 2**31
        for fraction in sorted(set(spec.refit.label_fractions)):
            rows = nested_rows(labels, order, fraction)
            epochs = max(1, round(full / num_steps(len(rows), spec.train.batch_size)))
            for role, candidate in both.items():
                name = label_run_name(role, fraction, index)
                yield LabelRun(name, role, candidate, fraction, seed, index, rows, epochs)


def label_sizes(spec: StudySpec, labels: np.ndarray) -> dict[float, int]:
    """Return how many labels each fraction is, ascending; the same in every draw."""
    order = np.arange(len(labels))
    return {part: len(nested_rows(labels, order, part)) for part in sorted(set(spec.refit.label_fractions))}


def label_run_name(role: str, fraction: float, index: int) -> str:
    """``labels-<role>-<fraction>-<n>``."""
    return f"labels-{role}-{fraction:g}-{index}"


def best_pair(candidates: list[Candidate]) -> dict[str, Candidate]:
    """Return the best trial with transfer, and the best of scratch of its architecture, as far as they are left."""
    transfer = next((c for c in candidates if TRANSFER in c.roles), None)
    alike = [c for c in candidates if transfer is None or c.trial["arch"] == transfer.trial["arch"]]
    scratch = next((c for c in alike if SCRATCH in c.roles), None)
    return {role: found for role, found in ((TRANSFER, transfer), (SCRATCH, scratch)) if found}


def nested_rows(labels: np.ndarray, order: np.ndarray, fraction: float) -> np.ndarray:
    """Return the first images of each class in this order: a part of each, rounded up, so none is empty; ascending.

    A smaller fraction gives a subset of a larger one's.
    """
    classes = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([rows[: int(np.ceil(round(fraction * len(rows), 6)))] for rows in classes]))


def _order(labels: np.ndarray, seed: int, index: int) -> np.ndarray:
    return generator(seed, "labels", index).permutation(len(labels))
