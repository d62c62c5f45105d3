"""What Ray Train is told of a group's number of workers. No Ray is started."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from translearn.cluster.training.group import (
    MAX_FAILURES,
    RESIZE_INTERVAL_S,
    Size,
    failures,
    layout_scaling,
    scaling,
    starts,
)
from translearn.cluster.training.layout import Layout

FIXED, ELASTIC = Layout(1, 2, 4, 0.0), Layout(1, 3, 4, 1.0, (2, 8))
TIMEOUT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"


def test_a_fixed_group_is_not_elastic() -> None:
    told = layout_scaling(FIXED)
    assert (told.num_workers, told.elasticity_enabled) == (2, False)
    assert (told.resources_per_worker, told.use_gpu) == ({"CPU": 4.0}, False)
    assert failures(FIXED).controller_failure_limit == failures(FIXED).max_failures == MAX_FAILURES
    assert scaling(2, 0.5, 0).num_workers == 2  # a trial's workers


def test_half_of_the_cpus_may_be_left_to_others() -> None:
    assert layout_scaling(FIXED, spare_cpus=True).resources_per_worker == {"CPU": 2.0}


def test_an_elastic_group_is_a_range_and_may_start_more_often_than_it_may_lose_workers() -> None:
    told = layout_scaling(ELASTIC)
    assert (told.min_workers, told.max_workers, told.elasticity_enabled) == (2, 8, True)
    assert told.resources_per_worker == {"CPU": 4.0, "GPU": 1.0}
    assert told.elastic_resize_monitor_interval_s == RESIZE_INTERVAL_S
    assert failures(ELASTIC).max_failures == MAX_FAILURES
    assert failures(ELASTIC).controller_failure_limit == 3 * MAX_FAILURES


def test_only_an_elastic_group_waits_less_long_for_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIMEOUT, "60")
    with starts(FIXED):
        assert os.environ[TIMEOUT] == "60"
    with starts(ELASTIC):
        assert os.environ[TIMEOUT] == "15"
    assert os.environ[TIMEOUT] == "60"
    monkeypatch.setenv(TIMEOUT, "200")  # a user's own
    with starts(ELASTIC):
        assert os.environ[TIMEOUT] == "200"


def test_a_change_of_size_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    for layout in (FIXED, replace(ELASTIC, at_once=2), ELASTIC):  # rows of several runs would mix
        size = Size(layout)
        for row in ({"workers": 3}, {"workers": 3}, {"reason": "diverged"}, {"workers": 2}, {"workers": 2}):
            size.take(row)
    assert capsys.readouterr().out.splitlines() == [
        "training on 3 workers, of at most 8",
        "training on 2 workers, of at most 8",
    ]
