"""What refits are expected to take, from what the search has measured."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.cluster.resources import plan_resources
from translearn.config import ClusterSpec, StudySpec, parse_spec
from translearn.models.sources import Source, scratch
from translearn.study.planning.refit_costs import RefitCosts, epoch_seconds

SOURCES = {"a": Source("a", "resnet18", "weights"), "scratch": scratch("resnet18")}


def trial(name: str, source: str, depth: int, error: float) -> dict[str, Any]:
    own = {"trial_id": name, "source": source, "arch": "resnet18", "freeze_depth": depth, "val_error": error}
    return {**own, "lr": error, "weight_decay": 0.0, "status": "done", "epochs": 9, "val_loss": error}


TRIALS = [trial("t", "a", 0, 0.1), trial("p", "a", 5, 0.2), trial("s", "scratch", 0, 0.5)]


def study(**refit: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    refit = {"epochs": 10, "seeds": 3, "candidates": 1, "baseline_cap": 1, **refit}
    return parse_spec({"name": "x", "target": {"data": "d"}, "sources": [source], "refit": refit})


def costs(num_cpus: float) -> RefitCosts:
    resources = plan_resources(ClusterSpec(refits_at_once=int(num_cpus), refit_workers=1), [{"CPU": num_cpus}])
    return RefitCosts(TRIALS, {"t": 3.0, "p": 1.0, "s": 4.0}, 0.1, SOURCES, resources)


def test_each_candidate_costs_what_its_own_epochs_took() -> None:
    one_by_one = 3 * 10 * (3.0 + 1.0 + 4.0)
    assert costs(1.0).all_s(study()) == pytest.approx(one_by_one)
    assert costs(2.0).all_s(study()) == pytest.approx(one_by_one / 2)


def test_the_longer_baseline_costs_what_scratch_does_and_runs_its_lengths_in_turn() -> None:
    more = costs(1.0).all_s(study(baseline_cap=5)) - costs(1.0).all_s(study())
    assert more == pytest.approx(3 * (2 + 5) * 10 * 4.0)
    side_by_side = costs(2.0).all_s(study(baseline_cap=5)) - costs(2.0).all_s(study())
    assert side_by_side == pytest.approx(2 * (2 + 5) * 10 * 4.0)


def test_further_runs_cost_as_many_steps_as_a_refit() -> None:
    more = costs(1.0).all_s(study(label_fractions=[0.25, 0.5], forgetting=True)) - costs(1.0).all_s(study())
    assert more == pytest.approx(2 * 10 * (3.0 + 4.0) + 6 * 10 * 3.0)


def test_the_median_of_a_run_s_epochs_counts() -> None:
    rows = [{"stage": "search", "run": "t", "seconds": seconds} for seconds in (9.0, 1.0, 2.0)]
    assert epoch_seconds([*rows, {"stage": "refit", "run": "t", "seconds": 99.0}], "search") == {"t": 2.0}
