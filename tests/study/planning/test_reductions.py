"""What is left out of a study that has to fit into a time, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.study.planning.budget import with_budget
from translearn.study.planning.reductions import fitted, left_out

NUM = 400  # images in batches of 50: 8 steps an epoch, 63 epochs are enough


def study(**sections: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return with_budget(parse_spec({"name": "x", "target": {"data": "d"}, "sources": [source], **sections}), NUM)


def reduced(spec: StudySpec, takes: Any, time_s: float, is_searched: bool = False) -> list[str]:
    return left_out(spec, fitted(spec, NUM, takes, time_s, is_searched))


def epochs_of(spec: StudySpec) -> float:
    """All epochs of trials and refits: what a study costs where an epoch is a second."""
    longer = {5: 2 + 5, 2: 2, 1: 0}[spec.refit.baseline_cap]
    further = 2 * len(spec.refit.label_fractions) + 6 * spec.refit.forgetting
    runs = (2 * spec.refit.candidates + 1 + longer) * spec.refit.seeds + further
    return spec.search.trials * spec.search.epochs + runs * spec.refit.epochs


def test_nothing_is_left_out_of_what_fits() -> None:
    spec = study()
    assert reduced(spec, epochs_of, epochs_of(spec)) == []


def test_further_runs_go_first_then_the_longer_baseline_seeds_candidates_trials_and_last_steps() -> None:
    spec = study(refit={"label_fractions": [0.5], "forgetting": True, "seeds": 4})
    steps = [
        "refit.label_fractions [] instead of [0.5]; refit.forgetting false instead of true",
        *("refit.baseline_cap 2 instead of 5", "refit.baseline_cap 1 instead of 5"),
        *("refit.seeds 3 instead of 4", "refit.candidates 1 instead of 2"),
        *("search.trials 24 instead of 32", "search.trials 6 instead of 32"),
        *("search.epochs 50 instead of 63; refit.epochs 50 instead of 63",),
        *("search.epochs 13 instead of 63; refit.epochs 13 instead of 63",),
    ]
    found = [reduced(spec, epochs_of, time_s) for time_s in range(int(epochs_of(spec)) - 1, 0, -5)]
    came = {step: next(at for at, lacking in enumerate(found) if step in "; ".join(lacking)) for step in steps}
    assert sorted(steps, key=came.__getitem__) == steps
    assert len(set(came.values())) == len(steps)
    assert "; ".join(found[-1]) == "; ".join([steps[0], steps[2], *steps[3:5], steps[6], steps[8]])


@pytest.mark.parametrize("time_s", range(100, 8000, 357))
def test_what_fits_takes_no_longer_and_less_time_never_leaves_more(time_s: int) -> None:
    spec = study()
    found, smaller = (fitted(spec, NUM, epochs_of, seconds) for seconds in (time_s, time_s - 100))
    least = epochs_of(fitted(spec, NUM, epochs_of, 0))
    assert epochs_of(found) <= max(time_s, least)
    assert epochs_of(smaller) <= epochs_of(found)


def test_after_the_search_only_refits_are_changed() -> None:
    spec = study()
    assert reduced(spec, epochs_of, 0, is_searched=True) == [
        "refit.baseline_cap 1 instead of 5",
        "refit.candidates 1 instead of 2",
        "refit.epochs 13 instead of 63",
    ]


def test_what_the_file_asks_for_is_never_raised() -> None:
    spec = study(search={"trials": 3, "epochs": 2}, refit={"epochs": 3, "seeds": 2, "candidates": 1, "baseline_cap": 1})
    assert reduced(spec, epochs_of, 0) == []
