"""A study that meets a fault comes to the same, loses little, and leaves nothing behind. `make drill` runs all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from faults import FAULTS, SHORT, Fault

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_study_that_meets_several_faults_comes_to_the_same(meet: Callable) -> None:
    assert meet(SHORT) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_study_that_meets_a_fault_at_its_points_comes_to_the_same(meet: Callable, fault: Fault) -> None:
    assert meet(fault) == []
