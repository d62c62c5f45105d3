"""A study with trackers, and a tracker that keeps what it gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from translearn.cluster.tracking import connections
from translearn.config import StudySpec, parse_spec

ANSWERS = {"tracking_uri": "databricks"}  # is not looked for beforehand


def spec_with(**trackers: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    tree = {"name": "pets", "target": {"data": "x"}, "sources": [source], "cluster": {"trackers": trackers}}
    return parse_spec(tree)


def job(run: str, **provenance: Any) -> Any:
    """What is read of a job of ``train_jobs``."""
    return SimpleNamespace(run=run, info=SimpleNamespace(arch="resnet18", provenance=provenance))


def row(run: str, epoch: int, **more: Any) -> dict[str, Any]:
    return {"run": run, "epoch": epoch, "epochs": 2, "val_error": 0.5 / epoch, "lr": 0.1, "threads": 1, **more}


class FakeTracker:
    """Keeps every call; ``failing`` names the methods that raise."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.calls = failing, list[tuple[Any, ...]]()

    def _take(self, name: str, *call: Any) -> None:
        if name in self.failing:
            raise ConnectionError("nobody\nthere at http://me:hidden@host")
        self.calls.append((name, *call))

    def setup(self) -> None:
        self._take("setup")

    def log_trial_start(self, trial: Any) -> None:
        self._take("start", str(trial), dict(trial.config))

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        self._take("result", str(trial), result)

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        self._take("end", str(trial), failed)

    def add_texts(self, trial: Any, texts: Any) -> None:
        self._take("texts", str(trial), dict(texts))

    def interrupt(self) -> None:
        self._take("interrupt")


def use(monkeypatch: pytest.MonkeyPatch, tracker: FakeTracker) -> FakeTracker:
    """Puts a fake in the place of MLflow's and W&B's trackers."""
    monkeypatch.setattr(connections, "_tracker", lambda *_: tracker)
    return tracker
