"""Reports of running trials to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

#: Is told the name of a trial, its config, its last result, and whether it has ended.
OnResult = Callable[[str, Mapping[str, Any], Mapping[str, Any], bool], None]
#: Is told the name and the config of a trial that has no result yet, again and again.
OnWaiting = Callable[[str, Mapping[str, Any]], None]
_followers: list[tuple[OnResult, OnWaiting]] = []


class Followed(tune.Callback):
    """Passes results on to ``following``.

    Tune pickles its callbacks with the experiment, and a restored one has those of before: so it holds nothing.
    """

    def on_step_begin(self, iteration: int, trials: list, **info: Any) -> None:  # noqa: ARG002
        """Tell which trials wait for their first epoch."""
        for trial in trials:
            if not trial.is_finished() and not trial.has_reported_at_least_once:
                for _, wait in _followers:
                    wait(str(trial), trial.config)

    def on_trial_result(self, iteration: int, trials: list, trial: Trial, result: dict, **info: Any) -> None:  # noqa: ARG002
        """Pass an epoch on."""
        _tell(trial, result, False)

    def on_trial_complete(self, iteration: int, trials: list, trial: Trial, **info: Any) -> None:  # noqa: ARG002
        """Pass the end of a trial on."""
        _tell(trial, trial.last_result, True)

    def on_trial_error(self, iteration: int, trials: list, trial: Trial, **info: Any) -> None:  # noqa: ARG002
        """Pass the end of a trial on that failed for good."""
        _tell(trial, {**trial.last_result, "reason": "it failed; see Ray's logs"}, True)


@contextmanager
def following(follow: OnResult, wait: OnWaiting) -> Iterator[None]:
    """Call ``follow`` with the results of trials, and ``wait`` with those that wait, while the block runs."""
    _followers.append((follow, wait))
    try:
        yield
    finally:
        _followers.remove((follow, wait))


def _tell(trial: Trial, result: Mapping[str, Any], is_over: bool) -> None:
    for follow, _ in _followers:
        follow(str(trial), trial.config, result, is_over)
