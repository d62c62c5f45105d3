"""The search step: trials of every source, and what is kept of them."""

from __future__ import annotations

import math
from typing import Any

from translearn.cluster.console import TuneProgress, board, say, status_of
from translearn.cluster.resources import Resources
from translearn.cluster.search import Outcome, run_search
from translearn.cluster.shared import Task
from translearn.models.freeze import freeze_account
from translearn.models.network import skeleton
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import Splits
from translearn.study.directory import CURVES, TRIALS
from translearn.study.sources import pretrain_curves
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
        _keep([outcome for outcome in results if outcome.config], folder, sources, num_classes, spec)
        _clear(folder)
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _clear(folder: Folder) -> None:
    """Deletes the loop state of trials: the refits train anew. What Tune and TensorBoard read stays."""
    tune = folder / "tune"
    (tune / "workers").remove()
    for trial in tune.names():
        for name in (tune / trial).names() if "-lr" in trial else ():
            if name.startswith("checkpoint_"):
                (tune / trial / name).remove()


def _keep(
    outcomes: list[Outcome], folder: Folder, sources: dict[str, Source], num_classes: int, spec: StudySpec
) -> None:
    trials = [_trial_row(outcome, number, sources, num_classes, spec) for number, outcome in enumerate(outcomes, 1)]
    curves = [row for outcome, trial in zip(outcomes, trials, strict=True) for row in _curve(outcome, trial)]
    folder.write_table(CURVES, table(pretrain_curves(spec, folder) + curves, CURVE_SCHEMA))
    folder.write_table(TRIALS, table(trials, TRIAL_SCHEMA))


def _trial_row(
    outcome: Outcome, number: int, sources: dict[str, Source], num_classes: int, spec: StudySpec
) -> dict[str, Any]:
    metrics, config = outcome.metrics, outcome.config
    source, reason = sources[config["source"]], metrics.get("reason") or outcome.error
    return {
        **({} if reason else metrics),
        **{name: config[name] for name in ("source", "freeze_depth", "lr")},
        "trial_id": metrics.get("trial_id", f"unknown-{number}"),
        "arch": source.arch,
        "status": "failed" if reason else status_of(metrics, spec.search.epochs),
        "reason": reason,
        "epochs": metrics.get("epoch", 0),
        "seconds": metrics.get("time_total_s", 0.0),
        "num_trained_parameters": _num_trained(source.arch, num_classes, config["freeze_depth"]),
    }


def _num_trained(arch: str, num_classes: int, depth: int) -> int:
    network = skeleton(arch, num_classes)
    trained = set(freeze_account(network, depth).trained)
    return sum(parameter.numel() for name, parameter in network.named_parameters() if name in trained)


def _curve(outcome: Outcome, trial: dict[str, Any]) -> list[dict[str, Any]]:
    # A trial that was restored reports an epoch again; the later report is the one that counts.
    reports = {report["epoch"]: report for report in outcome.curve if report.get("train_loss") is not None}
    finite = [report for report in reports.values() if math.isfinite(report["train_loss"])]
    return [{**report, "stage": "search", "run": trial["trial_id"]} for report in finite]
