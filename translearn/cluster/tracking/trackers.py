"""Messages to the trackers of a study: its trials, its other runs, and its result.

``connections.tracking`` connects for the length of a command; without it, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from typing import Any

from ray.tune import Callback
from ray.tune.logger import LoggerCallback
from ray.tune.result import AUTO_RESULT_KEYS, TRAINING_ITERATION

from translearn.cluster.tracking.connections import Tracker, submit
from translearn.cluster.tracking.tracked_run import TrackedRun
from translearn.cluster.training.worker import Job
from translearn.config import StudySpec
from translearn.models.model_info import ModelInfo

Row = dict[str, Any]

_FIGURES = ("train_loss", "val_loss", "val_error", "lr", "images_per_s")
_TRIED = ("source", "freeze_depth", "lr", "weight_decay")
_PARAMS = (*_TRIED, "arch", "epochs", "seed", "data")
_OF_TUNE = set(AUTO_RESULT_KEYS) - {TRAINING_ITERATION}
_MAX_TEXT_CHARS = 4000  # MLflow's own limit is higher


def trial_callbacks(spec: StudySpec) -> list[Callback]:
    """Return the callbacks that a Tuner needs to send its trials to the study's trackers.

    Give them to every Tuner, with trackers or without: ``Tuner.restore`` has those of the first command, and the
    trackers of a study may change.
    """
    return [_TrialCallback(spec.name)]


def run_tracker(spec: StudySpec, stage: str, jobs: Iterable[Job]) -> Callable[[Row], None]:
    """Return what sends the epochs of jobs to the study's trackers; ``train_jobs`` calls it with each row.

    Args:
        spec: The study.
        stage: ``pretrain``, ``refit`` or ``finetune``.
        jobs: Their parameters are those of their ``info``.
    """
    runs = {job.run: TrackedRun(stage, job.run, _params(job.info)) for job in jobs}
    begun = set[str]()

    def follow(row: Row) -> None:
        is_first, name = row["run"] not in begun, row["run"]
        begun.add(name)
        if is_last := _has_ended(row):
            begun.discard(name)
        submit(spec.name, lambda tracker: _send(tracker, runs[name], row, is_first, is_last))

    return follow


def track_result(spec: StudySpec, evaluation: Mapping[str, Any], places: Mapping[str, str]) -> None:
    """Send the result of a study; the step of its figures is the number of times that test was read.

    Args:
        spec: The study.
        evaluation: The content of ``evaluation.json``.
        places: Where its files are, by name; the files are not sent.
    """
    run = TrackedRun("study", spec.name, {name: evaluation["winner"][name] for name in _TRIED})
    step, figures, texts = evaluation["test_reads"], _result(evaluation), {**_texts(evaluation), **places}

    def send(tracker: Tracker) -> None:
        tracker.log_trial_start(run)
        tracker.log_trial_result(step, run, {TRAINING_ITERATION: step, **figures})
        tracker.add_texts(run, texts)
        tracker.log_trial_end(run)

    submit(spec.name, send)


class _TrialCallback(LoggerCallback):
    """Passes the events of Tune's trials to the trackers of the command that runs.

    Tune pickles it with the experiment, so it holds no credentials, no connection, and no address of a tracker.
    """

    def __init__(self, study: str) -> None:
        self._study = study

    def log_trial_start(self, trial: Any) -> None:
        submit(self._study, lambda tracker: tracker.log_trial_start(trial))

    def log_trial_result(self, iteration: int, trial: Any, result: Row) -> None:
        own = {name: value for name, value in result.items() if name not in _OF_TUNE and _is_figure(value)}
        submit(self._study, lambda tracker: tracker.log_trial_result(iteration, trial, own))

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        reason = trial.last_result.get("reason")
        submit(self._study, lambda tracker: _end(tracker, trial, reason, failed))


def _is_figure(value: object) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _has_ended(row: Row) -> bool:
    return "reason" in row or row["epoch"] >= row["epochs"]


def _send(tracker: Tracker, run: TrackedRun, row: Row, is_first: bool, is_last: bool) -> None:
    reason = row.get("reason")
    if is_first:
        tracker.log_trial_start(run)
    if not reason:
        figures = {name: row[name] for name in _FIGURES if row.get(name) is not None}
        tracker.log_trial_result(row["epoch"], run, {TRAINING_ITERATION: row["epoch"], **figures})
    if is_last:
        _end(tracker, run, reason)


def _end(tracker: Tracker, run: Any, reason: str | None, failed: bool = False) -> None:
    if reason:
        tracker.add_texts(run, {"reason": _text(reason)})
    tracker.log_trial_end(run, failed or bool(reason))


def _params(info: ModelInfo | None) -> dict[str, Any]:
    known = {"arch": info.arch, **info.provenance} if info else {}
    known["seed"] = known.get("refit_seed", known.get("seed"))
    return {name: known[name] for name in _PARAMS if known.get(name) is not None}


def _result(evaluation: Mapping[str, Any]) -> dict[str, float]:
    figures = {f"target_{name}": evaluation["target"][name] for name in ("error", "low", "high")}
    for name, found in _gains(evaluation).items():
        figures[name] = found["gain"]
        figures |= {f"{name}_{end}": found[end] for end in ("low", "high", "family_low", "family_high")}
    return {name: value for name, value in figures.items() if value is not None}


def _texts(evaluation: Mapping[str, Any]) -> dict[str, str]:
    return {"summary": _text("\n".join(evaluation["summary"])), "verdict": _text(evaluation["verdict"]["verdict"])}


def _gains(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    keys = {
        "transfer_gain": "transfer",
        "gain_at_convergence": "gain_at_convergence",
        "gain_over_probe": "over_probe",
    }
    return {name: gain for name, key in keys.items() if (gain := evaluation.get(key))}


def _text(value: object) -> str:
    return str(value)[:_MAX_TEXT_CHARS]
