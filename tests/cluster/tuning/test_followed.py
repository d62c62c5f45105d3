"""What the driver is told of running trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ray import tune

from translearn.cluster.training.checkpoints import save_state
from translearn.cluster.tuning.followed import Followed, Followers, following


class Trial:
    def __init__(self, name: str, is_over: bool = False, has_reported: bool = False) -> None:
        self.config, self.last_result = {"source": name}, {"epoch": 1}
        self._name, self._is_over, self.has_reported_at_least_once = name, is_over, has_reported

    def __str__(self) -> str:
        return self._name

    def is_finished(self) -> bool:
        return self._is_over


def test_trials_without_a_result_wait() -> None:
    results: list[Any] = []
    waiting: list[Any] = []
    trials = [Trial("a", has_reported=True), Trial("b"), Trial("c", is_over=True)]
    with following(Followers(lambda *told: results.append(told), lambda *told: waiting.append(told))):
        Followed().on_step_begin(1, trials)
        Followed().on_trial_result(1, trials, trials[0], {"epoch": 2})  # type: ignore[arg-type]
        Followed().on_trial_complete(1, trials, trials[0])  # type: ignore[arg-type]
    Followed().on_step_begin(2, trials)
    assert waiting == [("b", {"source": "b"})]
    assert results == [("a", {"source": "a"}, {"epoch": 2}, False), ("a", {"source": "a"}, {"epoch": 1}, True)]


def test_the_tensors_of_a_trial_are_offered_after_its_last_epoch(tmp_path: Path) -> None:
    save_state(tmp_path, {"state": {"epoch": 3, "model": {"fc.bias": torch.arange(3.0)}}})
    trial, offered = Trial("a"), list[Any]()
    kept = tune.Checkpoint.from_directory(tmp_path)
    with following(Followers(on_whole=lambda *told: offered.append(told))):
        for epoch in (2, 3):
            trial.last_result = {"epoch": epoch, "epochs": 3}
            Followed().on_checkpoint(iteration=1, trials=[], trial=trial, checkpoint=kept)  # type: ignore[arg-type]
    ((run, config, result, trained),) = offered
    assert (run, config, result) == ("a", {"source": "a"}, {"epoch": 3, "epochs": 3})
    assert trained()["fc.bias"].tolist() == [0.0, 1.0, 2.0]
