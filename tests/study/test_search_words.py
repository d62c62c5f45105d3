"""What a search says at its end."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.cluster.search import Outcome
from translearn.contest import Point
from translearn.study import search


def said(monkeypatch: pytest.MonkeyPatch, on_gpu: bool, **replay: Any) -> str:
    lines: list[str] = []
    monkeypatch.setattr(search, "say", lines.append)
    outcome = Outcome("t1", Point("a", 5, 1e-3, 0.0, False), [], None, **replay)
    search._say_what_was_saved([outcome], on_gpu)
    return lines[-1]


def test_a_replay_with_other_weights_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "warning: replay of t1: other weights than in the search. "
    assert said(monkeypatch, False, is_replayed=False) == f"{other}On a CPU they must be the same: please report it."
    assert said(monkeypatch, True, is_replayed=False) == f"{other}On a GPU kernels may sum in another order."
    assert said(monkeypatch, False, is_replayed=False, replay_reason="out of memory").startswith(
        "warning: replay of t1: out of memory. "
    )


def test_one_with_the_same_weights_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, False, is_replayed=True) == "replay of t1: the same weights"
