"""What a tracking server is told of a study's runs, made of what the study keeps of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from translearn.cluster.run_report import RunReport, Step
from translearn.cluster.training.worker import CURVE, has_ended
from translearn.config import StudySpec

Row = dict[str, Any]
from translearn.models.model_dir import MARKER, ModelInfo, read_info
from translearn.storage.folder import Folder
from translearn.study import directory
from translearn.study.models import failure

_FOLDERS = {"pretrain": "sources", "refit": "refit", "finetune": "finetune"}
_PLACES = {"report": directory.REPORT, "model": directory.MODEL}
_FIGURES = ("train_loss", "val_loss", "val_error", "lr", "images_per_s")
_TRIED = ("source", "freeze_depth", "lr", "weight_decay")
_PARAMS = (*_TRIED, "arch", "epochs", "seed", "data")
_LONGEST_TAG = 4000  # characters; MLflow's own limit is higher


def reports(spec: StudySpec, folder: Folder) -> Iterator[RunReport]:
    """Every run that a study has kept, and its result where it has one."""
    for stage, name in _FOLDERS.items():
        yield from _job_reports(stage, folder / name)
    if folder.exists(directory.TRIALS):
        yield from trial_reports(spec, *(_rows(folder, name) for name in (directory.TRIALS, directory.CURVES)))
    if folder.exists(directory.EVALUATION):
        places = {name: folder.address(file) for name, file in _PLACES.items() if folder.exists(file)}
        yield study_report(spec, folder.read_json(directory.EVALUATION), places)


def trial_reports(spec: StudySpec, trials: Iterable[Row], curves: Iterable[Row]) -> Iterator[RunReport]:
    """A report for each row of ``trials.parquet``, with its rows of ``curves.parquet``."""
    epochs: dict[str, list[Row]] = {}
    for row in curves:
        if row["stage"] == "search":
            epochs.setdefault(row["run"], []).append(row)
    for trial in trials:
        run, params = trial["trial_id"], {"arch": trial["arch"], **trial_params(spec, trial)}
        yield RunReport("search", run, params, steps(epochs.get(run, ())), trial["status"], _why(trial["reason"]))


def study_report(spec: StudySpec, evaluation: Mapping[str, Any], places: Mapping[str, str]) -> RunReport:
    """The result of a study; its step is the number of times that test was read. Files are named, and not sent."""
    figures = {f"target_{name}": evaluation["target"][name] for name in ("error", "low", "high")}
    tags = {f"winner.{name}": evaluation["winner"][name] for name in _TRIED}
    for name, found in (("transfer_gain", evaluation["transfer"]), ("gain_over_probe", evaluation["over_probe"])):
        if found:
            ends = ("low", "high", "family_low", "family_high")
            figures |= {name: found["gain"], **{f"{name}_{end}": found[end] for end in ends}}
            tags[f"{name}.verdict"] = found["verdict"]
    tags |= {"summary": "\n".join(evaluation["summary"]), **places}
    step = Step(evaluation["test_reads"], _known(figures), time.time())
    return RunReport("study", spec.name, {}, (step,), "done", {name: _tag(value) for name, value in tags.items()})


def trial_params(spec: StudySpec, trial: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial does, from its point or its row."""
    return {**{name: trial[name] for name in _TRIED}, "epochs": spec.search.epochs, "seed": spec.seed}


def model_params(info: ModelInfo) -> dict[str, Any]:
    """What a refit, a pre-training or a single fine-tune does, as its ``model.json`` says."""
    told = {"arch": info.arch, **info.provenance}
    told["seed"] = told.get("refit_seed", told.get("seed"))
    return _known({name: told.get(name) for name in _PARAMS})


def steps(rows: Iterable[Row]) -> list[Step]:
    """The epochs among rows; one that ended a run by a failure has no figures."""
    return [
        Step(row["epoch"], _known({name: row.get(name) for name in _FIGURES}), row.get("ended_at", time.time()))
        for row in rows
        if not row.get("reason")
    ]


def _job_reports(stage: str, folder: Folder) -> Iterator[RunReport]:
    for name in folder.names():
        run = folder / name
        if has_ended(run):
            reason = failure(run)
            params = model_params(read_info(run)) if run.exists(MARKER) else {}
            curve = steps(_rows(run, CURVE)) if run.exists(CURVE) else []
            yield RunReport(stage, name, params, curve, "failed" if reason else "done", _why(reason))


def _rows(folder: Folder, name: str) -> list[Row]:
    rows: list[Row] = folder.read_table(name).to_pylist()
    return rows


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _why(reason: str | None) -> dict[str, str]:
    return {"reason": _tag(reason)} if reason else {}


def _tag(value: object) -> str:
    return str(value)[:_LONGEST_TAG]
