"""Caches in these tests decide by fixed rates, not by those of a busy machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cache_cases import fast_places, slow_stages

from translearn.boundary import planning


@pytest.fixture(autouse=True)
def _fixed_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "measure_chain", slow_stages)
    monkeypatch.setattr(planning, "measure_rate", fast_places)
