"""The search step: trials of every source, and what is kept of them."""

from __future__ import annotations

import math
from typing import Any

from ray import tune

from translearn.cluster.console import TuneProgress, board, say, status_of
from translearn.cluster.resources import Resources
from translearn.cluster.search import run_search
from translearn.cluster.worker import Task
from translearn.models.freeze import freeze_account
from translearn.models.network import skeleton
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import Splits
from translearn.study.directory import CURVES, TRIALS
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table


def search(
    spec: StudySpec, folder: Folder, splits: Splits, sources: dict[str, Source], resources: Resources
) -> list[dict[str, Any]]:
    """Makes the trials, unless they were made; leaves ``curves.parquet``, then ``trials.parquet``.

    Returns:
        The rows of ``trials.parquet``, in the order in which the trials started.
    """
    if not folder.exists(TRIALS):
        num_classes = len(splits.dataset.manifest.classes)
        say(f"searching: {spec.search.trials} trials, {resources.concurrent_trials} at once")
        task = Task(splits.train, splits.val, num_classes, sources)
        with board("trials", spec.search.trials, spec.search.epochs):
            results = run_search(spec, task, folder, resources, [TuneProgress()])
        _keep(results, folder, sources, num_classes, spec)
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _keep(
    results: tune.ResultGrid, folder: Folder, sources: dict[str, Source], num_classes: int, spec: StudySpec
) -> None:
    ordered = sorted(results, key=lambda result: (result.metrics or {}).get("timestamp", math.inf))
    trials = [_trial_row(result, sources, num_classes, spec) for result in ordered]
    curves = [row for result, trial in zip(ordered, trials, strict=True) for row in _curve(result, trial["trial_id"])]
    folder.write_table(CURVES, table(curves, CURVE_SCHEMA))
    folder.write_table(TRIALS, table(trials, TRIAL_SCHEMA))


def _trial_row(result: tune.Result, sources: dict[str, Source], num_classes: int, spec: StudySpec) -> dict[str, Any]:
    metrics, config = result.metrics or {}, result.config or {}
    source = sources[config["source"]]
    failed = result.error or metrics.get("reason")
    return {
        **({} if failed else metrics),
        **{name: config[name] for name in ("source", "freeze_depth", "lr")},
        "trial_id": metrics.get("trial_id", str(result.path).rsplit("/", 1)[-1]),
        "arch": source.arch,
        "status": "failed" if failed else status_of(metrics, spec.search.epochs),
        "reason": metrics.get("reason") or (str(result.error) if result.error else None),
        "epochs": metrics.get("epoch", 0),
        "seconds": metrics.get("time_total_s", 0.0),
        "num_trained_parameters": _num_trained(source.arch, num_classes, config["freeze_depth"]),
    }


def _num_trained(arch: str, num_classes: int, depth: int) -> int:
    network = skeleton(arch, num_classes)
    trained = set(freeze_account(network, depth).trained)
    return sum(parameter.numel() for name, parameter in network.named_parameters() if name in trained)


def _curve(result: tune.Result, trial_id: str) -> list[dict[str, Any]]:
    frame = result.metrics_dataframe
    if frame is None or "train_loss" not in frame:
        return []
    # A trial that was restored reports an epoch again; the later report is the one that counts.
    frame = frame.dropna(subset=["train_loss"]).drop_duplicates("epoch", keep="last")
    return [{**row, "stage": "search", "run": trial_id} for row in frame.to_dict("records")]
