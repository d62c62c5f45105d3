"""A study that has a time: its plan, and the fault of one that is too short."""

from __future__ import annotations

import re
from typing import Any

import pytest

from translearn.cluster.resources import plan_resources
from translearn.config import ClusterSpec, StudySpec, parse_spec
from translearn.errors import SpecError
from translearn.study.planning.budget import with_budget
from translearn.study.planning.costs import Costs, likely_epochs
from translearn.study.planning.look import Size
from translearn.study.planning.time_plan import (
    EVALUATE_S,
    REFIT_S,
    SEARCH_S,
    START_S,
    before_s,
    planned,
    rest_s,
    time_lines,
    with_overhead,
)

SIZE = Size(10, num_train=400, num_val=60, num_test=60)


def study(time_s: float | None, **sections: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return parse_spec({"name": "x", "time_budget_s": time_s, "target": {"data": "d"}, "sources": [source], **sections})


def costs(image_s: float) -> Costs:
    return Costs({"resnet18": image_s}, {"target": SIZE}, plan_resources(ClusterSpec(), [{"CPU": 2.0}]))


def seconds(spec: StudySpec, image_s: float) -> float:
    return before_s(spec, costs(image_s)) + rest_s(spec, costs(image_s))


def test_a_study_without_a_time_stays_as_it_is() -> None:
    assert planned(study(None), costs(1.0)) == with_budget(study(None), 400)
    assert time_lines(study(None), study(None), costs(1.0)) == []


@pytest.mark.parametrize("time_s", [1200.0, 1800.0, 3600.0, 7200.0])
def test_a_plan_fits_its_time(time_s: float) -> None:
    given = study(time_s)
    spec = planned(given, costs(0.005))
    assert seconds(spec, 0.005) <= time_s
    lines = time_lines(given, spec, costs(0.005))
    assert re.fullmatch(r"time: about .+ of .+: before the trials .+, trials .+, refits .+, evaluation \d+ s", lines[0])
    assert lines[1].startswith("left out for it: ")


def test_a_plan_says_what_is_left_out() -> None:
    lines = {time_s: time_lines(given := study(time_s), planned(given, costs(0.005)), costs(0.005))[1]
             for time_s in (1800.0, 36000.0)}  # fmt: skip
    assert lines[36000.0] == "left out for it: nothing"
    assert lines[1800.0].startswith("left out for it: refit.baseline_cap ")


def test_a_time_that_is_too_short_is_a_fault_that_names_the_least() -> None:
    with pytest.raises(SpecError) as caught:
        planned(study(60.0), costs(0.005))
    found = re.fullmatch(
        r"time_budget_s: must be at least (\d+), about what the least of this study takes here \(6 trials of 13 "
        r"epochs, 3 refits a candidate of 13 epochs\), but got 60\. Give it --time (\d+)m, or lower target\.image_size "
        r"or target\.train_per_class\.",
        str(caught.value),
    )
    assert found
    least, minutes = map(int, found.groups())
    assert planned(study(60.0 * minutes), costs(0.005)).search.trials == 6
    with pytest.raises(SpecError, match=f"must be at least {least}, "):
        planned(study(least - 1.0), costs(0.005))


def test_a_slow_start_makes_all_starts_slow_and_a_fast_one_none_faster() -> None:
    plain = costs(0.005)
    slow, fast = (with_overhead(plain, START_S * times) for times in (3, 0.5))
    assert fast == plain
    starts = START_S + SEARCH_S + REFIT_S + EVALUATE_S
    spec = planned(study(36000.0), plain)
    more = before_s(spec, slow) + rest_s(spec, slow) - before_s(spec, plain) - rest_s(spec, plain)
    assert more == pytest.approx(2 * starts)


def test_asha_is_expected_to_stop_trials_and_no_other_scheduler() -> None:
    of = {
        name: with_budget(study(None, search={"scheduler": name, "epochs": 27}), 400).search
        for name in ("asha", "none")
    }
    assert likely_epochs(of["none"]) == 27
    assert likely_epochs(of["asha"]) == 3 + (9 - 3) / 2 + (27 - 9) / 4
    short = with_budget(study(None, search={"epochs": 2}), 400).search
    assert likely_epochs(short) == 2
