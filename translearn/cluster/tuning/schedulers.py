"""Schedulers: which trials are stopped."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

from translearn.config import SearchSpec

#: Trials whose configs have an equal kind are compared with each other, and with no others.
Kind = Callable[[Mapping[str, Any]], Hashable]


@dataclass(frozen=True)
class ScratchApart:
    """The usual kind of a trial: scratch is compared with scratch, so that the baseline is tuned like the rest."""

    scratch: Collection[str]

    def __call__(self, config: Mapping[str, Any]) -> bool:
        """Return whether a config starts from scratch."""
        return config["source"] in self.scratch


def study_scheduler(search: SearchSpec) -> TrialScheduler:
    """Return Tune's scheduler that a study names."""
    eta, grace = search.reduction_factor, min(search.grace_epochs, search.epochs)
    rung = search.first_rung
    schedulers: dict[str, Callable[[], TrialScheduler]] = {
        "asha": lambda: ASHAScheduler("epoch", max_t=search.epochs, grace_period=rung, reduction_factor=eta),
        "hyperband": lambda: HyperBandScheduler("epoch", max_t=search.epochs, reduction_factor=eta),
        "median": lambda: MedianStoppingRule("epoch", grace_period=grace),
        "none": FIFOScheduler,
    }
    return schedulers[search.scheduler]()


class SchedulerPerKind(TrialScheduler):
    """A scheduler for each kind of trials, all of one make.

    Tune starts a restored experiment with a new scheduler (ray-project/ray#30838). The results of restored trials are
    given back to ASHA, so that its rungs are those of before; HyperBand and the median rule begin anew.
    """

    def __init__(self, scheduler: TrialScheduler, kind: Kind) -> None:
        """Take a scheduler, of which each kind gets a copy."""
        super().__init__()
        self._blank, self._kind = scheduler, kind
        self._schedulers: dict[Hashable, TrialScheduler] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """See Tune's ``TrialScheduler``."""
        self._metric = metric
        return bool(self._blank.set_search_properties(metric, mode, **spec))

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """See Tune's ``TrialScheduler``."""
        _forget_decision(tune_controller, trial)
        scheduler = self._of(trial)
        scheduler.on_trial_add(tune_controller, trial)
        if isinstance(scheduler, ASHAScheduler) and "epoch" in trial.last_result:
            for result in _results(trial):
                scheduler.on_trial_result(tune_controller, trial, result)
            if trial.is_finished():
                scheduler.on_trial_complete(tune_controller, trial, trial.last_result)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """See Tune's ``TrialScheduler``."""
        return str(self._of(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """See Tune's ``TrialScheduler``."""
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """See Tune's ``TrialScheduler``."""
        self._of(trial).on_trial_error(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """See Tune's ``TrialScheduler``."""
        self._of(trial).on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """See Tune's ``TrialScheduler``."""
        chosen = (one.choose_trial_to_run(tune_controller) for one in self._schedulers.values())
        return next((trial for trial in chosen if trial), None)

    def debug_string(self) -> str:
        """See Tune's ``TrialScheduler``."""
        return "\n".join(f"{kind}: {one.debug_string()}" for kind, one in self._schedulers.items())

    def _of(self, trial: Trial) -> TrialScheduler:
        kind = self._kind(trial.config)
        if kind not in self._schedulers:
            self._schedulers[kind] = copy.deepcopy(self._blank)
        return self._schedulers[kind]


def _forget_decision(tune_controller: Any, trial: Trial) -> None:
    """Tune's snapshot keeps a decision that waits for a save: a restored trial would be stopped after its next save."""
    controller = getattr(tune_controller, "_tune_controller", None)
    for decisions in ("_cached_trial_decisions", "_queued_trial_decisions"):
        getattr(controller, decisions, {}).pop(trial.trial_id, None)


def _results(trial: Trial) -> Iterator[dict[str, Any]]:
    """Return the results that Tune's JSON logger kept of a trial; a line cut off by a crash is left out."""
    storage = trial.storage
    assert storage
    try:
        with storage.storage_filesystem.open_input_stream(f"{storage.trial_fs_path}/result.json") as file:
            lines = file.read().decode().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
