"""The tables of a search: a row a trial, and a row a trial and epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from translearn.cluster.tracking.console import status_of
from translearn.cluster.tuning.results import TrialResult
from translearn.models.freeze import freeze_account
from translearn.models.network import skeleton
from translearn.storage.folder import Folder
from translearn.study.directory import CURVES, TRIALS
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table


def keep_trials(
    results: Sequence[TrialResult], folder: Folder, num_classes: int, num_epochs: int, earlier: Sequence[dict[str, Any]]
) -> None:
    """Write ``curves.parquet``, the rows of earlier stages first, then ``trials.parquet``."""
    trials = [trial_row(result, num_classes, num_epochs) for result in results]
    curves = [row for result in results for row in _curve(result)]
    folder.write_table(CURVES, table([*earlier, *curves], CURVE_SCHEMA))
    folder.write_table(TRIALS, table(trials, TRIAL_SCHEMA))


def trial_row(result: TrialResult, num_classes: int, num_epochs: int) -> dict[str, Any]:
    """Return a row of ``trials.parquet``."""
    curve, config = result.curve, result.config
    last: Mapping[str, Any] = curve[-1] if curve else {}
    return {
        **({name: last.get(name) for name in ("threads", "precision")} if result.reason else last),
        **config,
        "trial_id": result.run,
        "status": "failed" if result.reason else status_of(dict(last), num_epochs),
        "reason": result.reason,
        "epochs": last.get("epoch", 0),
        "num_trained_parameters": _num_trained(config["arch"], num_classes, config["freeze_depth"]),
        "seconds": float(sum(row.get("seconds", 0.0) for row in curve)),
        "started_at": min((row["began_at"] for row in curve if "began_at" in row), default=None),
        "ended_at": max((row["ended_at"] for row in curve if "ended_at" in row), default=None),
    }


def _num_trained(arch: str, num_classes: int, depth: int) -> int:
    network = skeleton(arch, num_classes)
    trained = set(freeze_account(network, depth).trained)
    return sum(parameter.numel() for name, parameter in network.named_parameters() if name in trained)


def _curve(result: TrialResult) -> list[dict[str, Any]]:
    finite = [row for row in result.curve if math.isfinite(row.get("train_loss", math.nan))]
    return [{**row, "stage": "search", "run": result.run} for row in finite]
