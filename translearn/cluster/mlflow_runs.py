"""The runs of one study on an MLflow server: found again by their tags, so that nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from translearn.cluster.run_report import RunReport, Step

STUDY, RUN, STAGE, ENDED = (f"translearn.{name}" for name in ("study", "run", "stage", "ended"))
_RUNNING, _KILLED = "RUNNING", "KILLED"
_STATUS = {"done": "FINISHED", "stopped": _KILLED, "failed": "FAILED"}
_STEPS_A_REQUEST = 50  # MLflow takes 1000 metrics at once, and a step has less than 20


@dataclass
class _Run:
    """A run as the server has it. ``steps``: None where nobody has looked yet; ``ending``: see ``RunReport``."""

    id: str
    status: str
    params: set[str]
    metrics: list[str]
    ending: str
    steps: set[int] | None = None


class Experiment:
    """The experiment of one study. It waits for the server, and raises what the client raises.

    A call that failed may be repeated: it then looks first what the server has.

    Args:
        connect: Gives MLflow's client.
        name: Of the experiment; it is made where it is not there.
        study: Tells this study's runs from those of another one of its name.
    """

    def __init__(self, connect: Callable[[], Any], name: str, study: str) -> None:
        self._connect, self._name, self._study = connect, name, study
        self._client: Any = None
        self._experiment = ""
        self._runs: dict[str, _Run] | None = None
        self._open: set[str] = set()

    def take(self, report: RunReport) -> None:
        """Sends what the server does not have of a run, which begins where it is new."""
        with self._attempt():
            run = self._run(report)
            if run.ending != report.ending:
                self._log(run, report)
            if report.status and run.ending != report.ending:
                self._end(run, report)
            if run.status == _RUNNING:
                self._open.add(report.key)

    def kill(self) -> None:
        """The command was interrupted: no run of it goes on for now."""
        with self._attempt():
            for key in sorted(self._open):
                self._client.set_terminated(self._known()[key].id, _KILLED)
                self._open.discard(key)

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """What of a failed call has arrived is not known, so that the next one asks."""
        try:
            yield
        except Exception:
            self._runs = None
            raise

    def _known(self) -> dict[str, _Run]:
        if self._runs is None:
            self._client = self._client or self._connect()
            found = self._client.get_experiment_by_name(self._name)
            self._experiment = found.experiment_id if found else self._client.create_experiment(self._name)
            self._runs = {run.data.tags[RUN]: _of(run) for run in self._listed()}
        return self._runs

    def _listed(self) -> Iterator[Any]:
        token, mine = None, f"tags.`{STUDY}` = '{self._study}'"
        while True:
            page = self._client.search_runs([self._experiment], mine, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _run(self, report: RunReport) -> _Run:
        runs = self._known()
        if report.key not in runs:
            tags = {STUDY: self._study, RUN: report.key, STAGE: report.stage}
            runs[report.key] = _of(self._client.create_run(self._experiment, run_name=report.name, tags=tags))
        return runs[report.key]

    def _log(self, run: _Run, report: RunReport) -> None:
        params = {name: str(value) for name, value in report.params.items() if name not in run.params}
        steps = [step for step in report.steps if step.number not in self._steps(run)]
        if (params or steps) and run.status != _RUNNING:  # it was interrupted, and goes on
            self._client.update_run(run.id, status=_RUNNING)
            run.status = _RUNNING
        if params:
            self._send(run, params=_params(params))
            run.params |= params.keys()
        for start in range(0, len(steps), _STEPS_A_REQUEST):
            part = steps[start : start + _STEPS_A_REQUEST]
            self._send(run, metrics=[metric for step in part for metric in _metrics(step)])
            self._steps(run).update(step.number for step in part)

    def _steps(self, run: _Run) -> set[int]:
        """The steps that the server has of a run: a step's figures are sent together, so one of them tells."""
        if run.steps is None:
            history = self._client.get_metric_history(run.id, run.metrics[0]) if run.metrics else []
            run.steps = {metric.step for metric in history}
        return run.steps

    def _send(self, run: _Run, **entities: list[Any]) -> None:
        self._client.log_batch(run.id, **entities, synchronous=True)  # whatever MLFLOW_ENABLE_ASYNC_LOGGING says

    def _end(self, run: _Run, report: RunReport) -> None:
        run.status = _STATUS[str(report.status)]
        self._client.set_terminated(run.id, run.status)
        # Last, because it says that everything is there.
        self._send(run, tags=_tags({**report.tags, ENDED: report.ending}))
        run.ending = report.ending
        self._open.discard(report.key)


def _of(run: Any) -> _Run:
    data = run.data
    return _Run(run.info.run_id, run.info.status, set(data.params), sorted(data.metrics), data.tags.get(ENDED, ""))


def _params(params: dict[str, str]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, value) for name, value in params.items()]


def _metrics(step: Step) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(name, value, round(1000 * step.at), step.number) for name, value in step.figures.items()]


def _tags(tags: dict[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in tags.items()]
