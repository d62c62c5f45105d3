"""What a study decides by its time while it runs, and that a command that goes on decides the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from translearn.cluster.resources import Resources, plan_resources
from translearn.config import ClusterSpec, StudySpec, parse_spec
from translearn.models.sources import Source, scratch
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.datasets.prepare import Splits
from translearn.study.directory import CURVES, TRIALS
from translearn.study.planning import time_budget
from translearn.study.planning.budget import with_budget
from translearn.study.planning.clock import Clock
from translearn.study.planning.costs import Costs
from translearn.study.planning.look import Size
from translearn.study.planning.time_budget import TimeBudget, read_plan
from translearn.study.refits.candidates import Candidate
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table

NUM, IMAGE_S = 400, 0.005
SIZE = Size(10, NUM, 60, 60)
SOURCES = {"a": Source("a", "resnet18", "weights"), "scratch": scratch("resnet18")}


class Times:
    """A study with half an hour, of which so many seconds are used."""

    def __init__(self, folder: Folder, time_s: float = 1800.0) -> None:
        source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
        tree = {"name": "x", "target": {"data": "d"}, "sources": [source], "time_budget_s": time_s}
        self.spec: StudySpec = parse_spec({**tree, "refit": {"baseline_cap": 8}})
        self.resources: Resources = plan_resources(ClusterSpec(), [{"CPU": 2.0}])
        self.folder, self.clock = folder, SimpleNamespace(used_s=0.0)

    @property
    def budget(self) -> TimeBudget:
        costs = Costs({"resnet18": IMAGE_S}, {"target": SIZE}, self.resources)
        return TimeBudget(self.spec, self.folder, cast(Clock, self.clock), costs)

    @property
    def context(self) -> StudyContext:
        splits = cast(Splits, SimpleNamespace(train=[0] * NUM))
        return StudyContext(with_budget(self.spec, NUM), self.folder, splits, SOURCES, self.resources)

    def searched(self, num: int, epoch_s: float, scratch_s: float) -> list[dict[str, Any]]:
        """A search of so many trials, that of scratch last, with so many seconds an epoch."""
        names = [f"t{index}" for index in range(num)]
        own = {"arch": "resnet18", "freeze_depth": 0, "lr": 0.01, "weight_decay": 0.0, "status": "done"}
        own |= {"epochs": 9, "val_error": 0.5, "val_loss": 1.0}
        trials = [{**own, "trial_id": name, "source": "a", "lr": 0.01 / 2**at} for at, name in enumerate(names)]
        trials[-1]["source"] = "scratch"
        seconds = {name: scratch_s if name == names[-1] else epoch_s for name in names}
        self.curves = [
            {"stage": "search", "run": name, "epoch": 1, "seconds": seconds[name], "images_per_s": NUM / seconds[name]}
            for name in names
        ]
        self.folder.write_table(CURVES, table(self.curves, CURVE_SCHEMA))
        self.folder.write_table(TRIALS, table(trials, TRIAL_SCHEMA))
        return trials


@pytest.fixture
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Times:
    monkeypatch.setattr(time_budget, "with_nodes_of_now", lambda resources: resources)
    monkeypatch.setattr(time_budget, "size_of", lambda *_: SIZE)
    monkeypatch.setattr(time_budget, "say", lambda _: None)
    return Times(Folder.open(tmp_path))


def test_trials_are_planned_once_by_what_is_left_and_end_when_the_refits_need_the_time(times: Times) -> None:
    times = Times(times.folder, 1200.0)
    times.clock.used_s = 60.0
    context = times.budget.for_search(times.context)
    trials = context.spec.search.trials
    assert 6 <= trials < 32
    assert f"search.trials {trials} instead of 32" in context.lacking
    later = read_plan(times.folder)["later_s"]
    assert times.budget.search_s() == pytest.approx(1200 - 60 - later)
    times.clock.used_s = 90.0
    assert times.budget.for_search(times.context).spec == context.spec
    assert times.budget.search_s() == pytest.approx(1200 - 90 - later)


def test_where_all_time_is_used_each_source_still_has_an_epoch(times: Times) -> None:
    times.budget.for_search(times.context)
    times.clock.used_s = 5000.0
    epoch_s = IMAGE_S * (400 + 60 / 3)
    assert times.budget.search_s() == pytest.approx(time_budget.SEARCH_S + 2 * epoch_s / 2)


def test_refits_are_planned_by_measured_epochs_from_the_whole_file_and_stay(times: Times) -> None:
    context = times.budget.for_search(times.context)
    trials = times.searched(8, epoch_s=0.01, scratch_s=0.01)  # far faster than expected
    times.clock.used_s = 1000.0
    whole = times.budget.for_refits(context, trials)
    assert (whole.spec.refit.baseline_cap, whole.spec.refit.candidates, whole.spec.refit.seeds) == (8, 2, 3)
    assert whole.lacking == ("search.trials 8 instead of 32",)
    times.clock.used_s = 1790.0
    assert times.budget.for_refits(context, trials).spec == whole.spec


def test_slow_epochs_leave_the_least_refits(times: Times) -> None:
    trials = times.searched(8, epoch_s=50.0, scratch_s=50.0)
    spec = times.budget.for_refits(times.budget.for_search(times.context), trials).spec
    assert (spec.refit.baseline_cap, spec.refit.candidates, spec.refit.seeds, spec.refit.epochs) == (1, 1, 3, 13)


@pytest.mark.parametrize(("used_s", "cap"), [(300.0, 8), (1000.0, 4), (1400.0, 2), (1795.0, 1)])
def test_the_longer_baseline_has_the_lengths_that_the_time_after_the_refits_allows(
    times: Times, monkeypatch: pytest.MonkeyPatch, used_s: float, cap: int
) -> None:
    trials = times.searched(8, epoch_s=0.01, scratch_s=0.01)
    context = times.budget.for_refits(times.budget.for_search(times.context), trials)
    scratch_0 = Candidate("scratch-0", ("scratch",), trials[-1])
    monkeypatch.setattr(time_budget, "chosen_of", lambda *_: {"scratch": scratch_0})
    refit = {"stage": "refit", "run": "scratch-0-0", "epoch": 1, "seconds": 0.6, "images_per_s": 500.0}
    times.folder.write_table(CURVES, table([*times.curves, refit], CURVE_SCHEMA))
    times.clock.used_s = used_s  # a length of 63 epochs takes 2 turns of 38 s: 2, 4 and 8 of them are 1058 s
    found = times.budget.for_longer(context, [scratch_0])
    assert found.spec.refit.baseline_cap == cap == read_plan(times.folder)["refit"]["baseline_cap"]
    assert (f"refit.baseline_cap {cap} instead of 8" in found.lacking) == (cap < 8)
