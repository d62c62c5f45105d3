"""What the driver is told of running trials."""

from __future__ import annotations

from typing import Any

from translearn.cluster.tuning.followed import Followed, following


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
    with following(lambda *told: results.append(told), lambda *told: waiting.append(told)):
        Followed().on_step_begin(1, trials)
        Followed().on_trial_result(1, trials, trials[0], {"epoch": 2})  # type: ignore[arg-type]
        Followed().on_trial_complete(1, trials, trials[0])  # type: ignore[arg-type]
    Followed().on_step_begin(2, trials)
    assert waiting == [("b", {"source": "b"})]
    assert results == [("a", {"source": "a"}, {"epoch": 2}, False), ("a", {"source": "a"}, {"epoch": 1}, True)]
