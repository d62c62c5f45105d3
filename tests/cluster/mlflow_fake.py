"""An MLflow server in memory, behind what is used of its client; it fails when it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Page(list):
    token = None


class FakeMlflow:
    """Calls fail as long as ``failing`` is above 0: half of them before, half after they had their effect."""

    def __init__(self) -> None:
        self.experiments: dict[str, SimpleNamespace] = {}
        self.runs: dict[str, SimpleNamespace] = {}
        self.history: list[tuple[str, str, int, float]] = []
        self.calls: list[str] = []
        self.failing = self.failing_after = 0

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("nobody there")

    def _answered(self) -> None:
        if self.failing_after:
            self.failing_after -= 1
            raise ConnectionError("the answer was lost")

    def get_experiment_by_name(self, name: str) -> Any:
        self._called("get_experiment")
        return self.experiments.get(name)

    def create_experiment(self, name: str) -> str:
        self._called("create_experiment")
        self.experiments[name] = SimpleNamespace(experiment_id=name, lifecycle_stage="active")
        return name

    def search_runs(self, experiments: list[str], filter_string: str, page_token: str | None = None) -> Page:
        self._called("search_runs")
        study = filter_string.split("'")[1]
        return Page(run for run in self.runs.values() if run.data.tags["translearn.study"] == study)

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        self._called("create_run")
        info = SimpleNamespace(run_id=f"id-{len(self.runs)}", run_name=run_name, status="RUNNING")
        data = SimpleNamespace(params={}, metrics={}, tags=dict(tags))
        self.runs[info.run_id] = SimpleNamespace(info=info, data=data)
        self._answered()
        return self.runs[info.run_id]

    def log_batch(self, run: str, metrics: Any = (), params: Any = (), tags: Any = (), synchronous: Any = None) -> None:
        assert synchronous
        self._called("log_batch")
        data = self.runs[run].data
        for metric in metrics:
            self.history.append((run, metric.key, metric.step, metric.value))
            data.metrics[metric.key] = metric.value
        for param in params:
            assert data.params.setdefault(param.key, param.value) == param.value
        data.tags.update({tag.key: tag.value for tag in tags})
        self._answered()

    def get_metric_history(self, run: str, name: str) -> list[Any]:
        self._called("get_metric_history")
        return [SimpleNamespace(step=step) for at, key, step, _ in self.history if (at, key) == (run, name)]

    def update_run(self, run: str, status: str) -> None:
        self._called("update_run")
        self.runs[run].info.status = status

    def set_terminated(self, run: str, status: str) -> None:
        self.update_run(run, status)
        self._answered()

    def steps(self, name: str, figure: str = "val_error") -> list[int]:
        """The steps that a run has of a figure, in order of arrival."""
        (run,) = [run.info.run_id for run in self.runs.values() if run.info.run_name == name]
        return [step for at, key, step, _ in self.history if (at, key) == (run, figure)]

    def statuses(self) -> dict[str, str]:
        """Of each run by name."""
        return {run.info.run_name: run.info.status for run in self.runs.values()}
