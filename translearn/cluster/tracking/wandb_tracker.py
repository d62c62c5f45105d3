"""Weights & Biases by Ray's callback, which logs the runs of all stages of a study."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import wandb
from ray.air.integrations.wandb import WandbLoggerCallback

from translearn.cluster.tracking.tracked_run import key_of, stage_of
from translearn.config import WandbSpec

_FINISH_TIMEOUT_S, _INIT_TIMEOUT_S = 10.0, 20.0
_KILLED = 255  # the exit code that W&B shows as killed


class WandbTracker(WandbLoggerCallback):
    """Ray's callback, with the runs in this process.

    Ray's own ``log_trial_*`` start two actors a trial, which costs seconds a trial, and pass them the API key in a
    runtime environment, which Ray writes to its logs.

    Args:
        spec: Project, entity and mode.
        study: The study's name.
        identity: Distinguishes the study from others of the same name.
    """

    def __init__(self, spec: WandbSpec, study: str, identity: str) -> None:
        super().__init__(spec.project or study, group=study, entity=spec.entity, mode=spec.mode)
        self._identity = identity
        self._runs: dict[Any, Any] = {}

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: wandb finds its credentials by itself."""

    def log_trial_start(self, trial: Any) -> None:
        """Begin a run, or go on with the one of the same id."""
        if trial not in self._runs:
            self._runs[trial] = wandb.init(
                project=self.project,
                group=self.group,
                job_type=stage_of(trial),
                name=str(trial),
                id=hashlib.sha256(f"{self._identity}/{key_of(trial)}".encode()).hexdigest()[:16],
                config=dict(trial.config),
                resume="allow",
                reinit="create_new",
                settings=_settings(),
                **self.kwargs,
            )

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:  # noqa: ARG002
        """Log the figures of an epoch."""
        self._runs[trial].log(result, step=result["training_iteration"])

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """End a run as finished or failed."""
        self._runs.pop(trial).finish(exit_code=int(failed))

    def add_texts(self, trial: Any, texts: Mapping[str, str]) -> None:
        """Add texts to a run's summary."""
        self._runs[trial].summary.update(dict(texts))

    def interrupt(self) -> None:
        """End the runs that have not ended as killed."""
        for trial in list(self._runs):
            self._runs.pop(trial).finish(exit_code=_KILLED)


def _settings() -> Any:
    return wandb.Settings(
        console="off",
        disable_git=True,
        finish_timeout=_FINISH_TIMEOUT_S,
        finish_timeout_raises=True,
        init_timeout=_INIT_TIMEOUT_S,
        save_code=False,
        silent=True,
        x_disable_stats=True,
    )
