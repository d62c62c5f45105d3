"""Which of a trial's states is gone on from: the latest, wherever it lies. Ray's part is played by plain objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from translearn.cluster import states
from translearn.cluster.states import Places, Writer
from translearn.storage.folder import Folder


class Desk:
    """Holds states as the actor does."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.keep = self._remote(self.held.__setitem__)
        self.state = self._remote(self.held.get)
        self.drop = self._remote(lambda runs: [self.held.pop(run, None) for run in runs])

    def _remote(self, function: Callable[..., Any]) -> SimpleNamespace:
        return SimpleNamespace(remote=function)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr(states.ray, "get", lambda value: value)
    monkeypatch.setattr(states.ray, "put", lambda value: value)
    return Places(Desk(), Folder.open(tmp_path))


def saved(epoch: int) -> dict[str, Any]:
    return {"curve": [], "state": {"epoch": epoch}}


def loaded(places: Places) -> int | None:
    found = places.load("a")
    return found["state"]["epoch"] if found else None


def test_a_later_state_in_storage_comes_before_an_earlier_one_in_memory(places: Places) -> None:
    assert loaded(places) is None
    writer = Writer(places)
    places.keep("a", saved(1))  # at a rung
    writer.write({"a": saved(1)}, are_kept=True)
    writer.wait()
    assert "a" in places.desk.held
    assert loaded(places) == 1
    writer.write({"a": saved(2)}, are_kept=False)  # on the way to the next one
    writer.wait()
    assert places.desk.held == {}
    assert loaded(places) == 2


def test_a_state_that_is_not_written_keeps_the_one_in_memory(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.keep("a", saved(1))
    monkeypatch.setattr(states, "sealed", lambda _: (_ for _ in ()).throw(OSError("full")))
    writer = Writer(places)
    writer.write({"a": saved(2)}, are_kept=False)
    with pytest.raises(OSError, match="full"):
        writer.wait()
    assert loaded(places) == 1
