"""A study made smaller until it fits into a time: what goes first, and what a verdict needs last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

from translearn.config import StudySpec
from translearn.data.batches import num_steps
from translearn.evaluation.intervals.interval import LEAST_SEEDS
from translearn.ranking.first_configurations import LEAST_OF_SCRATCH, num_baselines
from translearn.study.planning.budget import enough_steps
from translearn.study.refits.convergence import lengths

#: Makes a study smaller by a step; None where it can not.
Reduction = Callable[[StudySpec], StudySpec | None]
#: The least part of enough steps that trials and refits keep.
LEAST_STEPS = 1 / 5
_FIELDS = (
    *("refit.label_fractions", "refit.forgetting", "refit.baseline_cap", "refit.seeds", "refit.candidates"),
    *("search.trials", "search.epochs", "refit.epochs"),
)


def fitted(
    spec: StudySpec, num_train: int, takes_s: Callable[[StudySpec], float], time_s: float, is_searched: bool = False
) -> StudySpec:
    """Return a study that takes no longer than a time; the least there is of it where nothing fits.

    Args:
        spec: The study, with its budget of steps.
        num_train: Training images of the target.
        takes_s: Estimates how long a study takes.
        time_s: The time.
        is_searched: Whether its trials are over, so that only refits can be changed.
    """
    for reduce in reductions(num_train, is_searched):
        while takes_s(spec) > time_s and (smaller := reduce(spec)):
            spec = smaller
    return spec


def least(spec: StudySpec, num_train: int) -> StudySpec:
    """Return the least of a study that may have a verdict."""
    return fitted(spec, num_train, lambda _: 1.0, 0.0)


def reductions(num_train: int, is_searched: bool = False) -> Sequence[Reduction]:
    """Return the reductions in the order in which they are made, each as far as it goes."""
    refits: list[Reduction] = [_fewer_seeds, _fewer_candidates, partial(_shorter, num_train=num_train, of="refit")]
    if is_searched:
        return [_no_further_runs, _shorter_baseline, *refits]
    both = partial(_both_shorter, num_train=num_train)
    return [_no_further_runs, _shorter_baseline, _fewer_seeds, _fewer_candidates, _fewer_trials, both]


def left_out(given: StudySpec, spec: StudySpec) -> list[str]:
    """Return what a study lacks of the given one, a part a field."""
    pairs = [(path, _value(given, path), _value(spec, path)) for path in _FIELDS]
    return [f"{path} {_words(now)} instead of {_words(was)}" for path, was, now in pairs if was != now]


def changed(spec: StudySpec, section: str, **update: Any) -> StudySpec:
    """Return a study with other values in a section."""
    return spec.model_copy(update={section: getattr(spec, section).model_copy(update=update)})


def _no_further_runs(spec: StudySpec) -> StudySpec | None:
    """Leave out the runs that answer other questions than the verdict's."""
    if not (spec.refit.label_fractions or spec.refit.forgetting):
        return None
    return changed(spec, "refit", label_fractions=(), forgetting=False)


def _shorter_baseline(spec: StudySpec) -> StudySpec | None:
    tried = lengths(spec.refit.baseline_cap)
    return changed(spec, "refit", baseline_cap=[1, *tried][-2]) if tried else None


def _fewer_trials(spec: StudySpec) -> StudySpec | None:
    trials = max(LEAST_OF_SCRATCH * (len(spec.sources) + num_baselines(spec)), spec.search.trials * 3 // 4)
    return changed(spec, "search", trials=trials) if trials < spec.search.trials else None


def _fewer_seeds(spec: StudySpec) -> StudySpec | None:
    seeds = spec.refit.seeds - 1
    return changed(spec, "refit", seeds=seeds) if seeds >= LEAST_SEEDS else None


def _fewer_candidates(spec: StudySpec) -> StudySpec | None:
    num = spec.refit.candidates - 1
    return changed(spec, "refit", candidates=num) if num else None


def _both_shorter(spec: StudySpec, num_train: int) -> StudySpec | None:
    """Shorten what is longer, trials or refits; both where they are equal."""
    longest = max(spec.search.epochs, spec.refit.epochs)
    for of in [section for section in ("search", "refit") if getattr(spec, section).epochs == longest]:
        shorter = _shorter(spec, num_train, of)
        if shorter is None:
            return None
        spec = shorter
    return spec


def _shorter(spec: StudySpec, num_train: int, of: str) -> StudySpec | None:
    now: int = getattr(spec, of).epochs
    enough = enough_steps(num_train) / num_steps(num_train, spec.train.batch_size)
    epochs = max(ceil(LEAST_STEPS * enough), now * 4 // 5)
    return changed(spec, of, epochs=epochs) if epochs < now else None


def _value(spec: StudySpec, path: str) -> Any:
    section, _, field = path.partition(".")
    return getattr(getattr(spec, section), field)


def _words(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value).lower()
