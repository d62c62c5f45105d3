"""Reports of running trials to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import cloudpickle, tune
from ray.tune.experiment import Trial

from translearn.cluster.training.checkpoints import load_state
from translearn.cluster.tuning.results import cause
from translearn.models.weights import State

#: Is told the name of a trial, its config, its last result, and whether it has ended.
OnResult = Callable[[str, Mapping[str, Any], Mapping[str, Any], bool], None]
#: Is told the name and the config of a trial that has no result yet, again and again.
OnWaiting = Callable[[str, Mapping[str, Any]], None]
#: Is told the name of a trial that ran its full length, its config and its last result, and gets a function that reads
#: its trained tensors.
OnWhole = Callable[[str, Mapping[str, Any], Mapping[str, Any], Callable[[], State]], None]


@dataclass(frozen=True, eq=False)
class Followers:
    """The functions that are told of a search, and why its trials failed, by their names."""

    on_result: OnResult = lambda *_: None
    on_waiting: OnWaiting = lambda *_: None
    on_whole: OnWhole = lambda *_: None
    failures: dict[str, str] = field(default_factory=dict)


_followers: list[Followers] = []


class Followed(tune.Callback):
    """Passes results on to ``following``.

    Tune pickles its callbacks with the experiment, and a restored one has those of before: so it holds nothing.
    """

    def on_step_begin(self, iteration: int, trials: list, **info: Any) -> None:  # noqa: ARG002
        """Tell which trials wait for their first epoch."""
        for trial in trials:
            if not trial.is_finished() and not trial.has_reported_at_least_once:
                for one in _followers:
                    one.on_waiting(str(trial), trial.config)

    def on_trial_result(self, iteration: int, trials: list, trial: Trial, result: dict, **info: Any) -> None:  # noqa: ARG002
        """Pass an epoch on."""
        _tell(trial, result, False)

    def on_trial_complete(self, iteration: int, trials: list, trial: Trial, **info: Any) -> None:  # noqa: ARG002
        """Pass the end of a trial on."""
        _tell(trial, trial.last_result, True)

    def on_trial_error(self, iteration: int, trials: list, trial: Trial, **info: Any) -> None:  # noqa: ARG002
        """Pass the end of a trial on that failed for good."""
        reason = _why(trial)
        for one in _followers:
            one.failures[str(trial)] = reason
        _tell(trial, {**trial.last_result, "reason": reason}, True)

    def on_checkpoint(self, iteration: int, trials: list, trial: Trial, checkpoint: Any, **info: Any) -> None:  # noqa: ARG002
        """Offer the tensors of a trial that is whole: the best of an actor keeps its state."""
        result = trial.last_result
        if result.get("epoch") == result.get("epochs"):
            for one in _followers:
                one.on_whole(str(trial), trial.config, result, lambda: _trained(checkpoint))


@contextmanager
def following(followers: Followers) -> Iterator[None]:
    """Tell these functions of trials while the block runs."""
    _followers.append(followers)
    try:
        yield
    finally:
        _followers.remove(followers)


def _trained(checkpoint: tune.Checkpoint) -> State:
    with checkpoint.as_directory() as folder:
        saved = load_state(Path(folder))
    return dict(saved["state"]["model"]) if saved else {}


def _why(trial: Trial) -> str:
    """Return what a trial failed of, as this node has it: the storage may not have taken it."""
    try:
        return cause(cloudpickle.loads(Path(trial.pickled_error_file or "").read_bytes()))
    except Exception:  # what can not be pickled, or not be read back
        return "it failed; see Ray's logs"


def _tell(trial: Trial, result: Mapping[str, Any], is_over: bool) -> None:
    for one in _followers:
        one.on_result(str(trial), trial.config, result, is_over)
