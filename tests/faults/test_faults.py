"""A study that meets a fault comes to the same, loses little, and leaves nothing behind. `make drill` runs all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from disk import can_mount
from faults import FAULTS, SHORT, Fault

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]


def check(outcome) -> None:
    assert outcome.problems == []
    assert outcome.different == []
    assert outcome.leftovers == []


def test_a_study_that_meets_several_faults_comes_to_the_same(meet: Callable) -> None:
    check(meet(SHORT))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_study_that_meets_a_fault_at_its_points_comes_to_the_same(meet: Callable, fault: Fault) -> None:
    if fault.own_disk and not can_mount():
        pytest.skip("needs the right to mount disks")
    check(meet(fault))
