"""MLflow by Ray's callback, which logs the runs of all stages of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from ray.air.integrations.mlflow import MLflowLoggerCallback

from translearn.cluster.tracking.tracked_run import key_of, stage_of
from translearn.config import MlflowSpec

STUDY, RUN, STAGE = (f"translearn.{name}" for name in ("study", "run", "stage"))


class MlflowTracker(MLflowLoggerCallback):
    """Ray's callback; a run that was interrupted goes on as the same MLflow run, which is found by its tags.

    Args:
        spec: The server and the experiment.
        study: The study's name.
        identity: Distinguishes the study from others of the same name.
    """

    def __init__(self, spec: MlflowSpec, study: str, identity: str) -> None:
        super().__init__(spec.tracking_uri, experiment_name=spec.experiment or study)
        self._identity, self._client = identity, MlflowClient(spec.tracking_uri)
        self._running: set[Any] = set()

    def log_trial_start(self, trial: Any) -> None:
        """Begin a run, or go on with the one that an earlier command began."""
        self.tags = {STUDY: self._identity, RUN: key_of(trial), STAGE: stage_of(trial)}
        if trial not in self._trial_runs and (run_id := self._interrupted(key_of(trial))):
            self._client.update_run(run_id, status="RUNNING")
            self._trial_runs[trial] = run_id
        self._running.add(trial)
        super().log_trial_start(trial)

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """End a run as ``FINISHED`` or ``FAILED``."""
        super().log_trial_end(trial, failed)
        self._running.discard(trial)

    def add_texts(self, trial: Any, texts: Mapping[str, str]) -> None:
        """Add tags to a run."""
        for name, text in texts.items():
            self._client.set_tag(self._trial_runs[trial], name, text)

    def interrupt(self) -> None:
        """End the runs that have not ended as ``KILLED``."""
        for trial in self._running:
            self._client.set_terminated(self._trial_runs[trial], "KILLED")

    def _interrupted(self, key: str) -> str | None:
        query = f"tags.`{STUDY}` = '{self._identity}' and tags.`{RUN}` = '{key}'"
        found = self._client.search_runs([self.mlflow_util.experiment_id], query, max_results=1)
        return str(found[0].info.run_id) if found else None
