"""What is kept of a search: a row a trial, and a row a trial and epoch."""

from __future__ import annotations

import math
from typing import Any

from translearn.cluster.search import Outcome
from translearn.cluster.tracking.console import status_of
from translearn.config import StudySpec
from translearn.models.freeze import freeze_account
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.storage.folder import Folder
from translearn.study.directory import CURVES, TRIALS
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table


def keep_trials(
    outcomes: list[Outcome],
    folder: Folder,
    sources: dict[str, Source],
    num_classes: int,
    spec: StudySpec,
    earlier: list[dict[str, Any]],
) -> None:
    """Leaves ``curves.parquet``, the rows of earlier stages first, then ``trials.parquet``."""
    trials = [_trial_row(outcome, sources, num_classes, spec) for outcome in outcomes]
    curves = [row for outcome in outcomes for row in _curve(outcome)]
    folder.write_table(CURVES, table(earlier + curves, CURVE_SCHEMA))
    folder.write_table(TRIALS, table(trials, TRIAL_SCHEMA))


def _trial_row(outcome: Outcome, sources: dict[str, Source], num_classes: int, spec: StudySpec) -> dict[str, Any]:
    point, curve = outcome.point, outcome.curve
    last, source = curve[-1] if curve else {}, sources[point.source]
    return {
        **({name: last.get(name) for name in ("threads", "precision")} if outcome.reason else last),
        "trial_id": outcome.run,
        "source": point.source,
        "arch": source.arch,
        "freeze_depth": point.freeze_depth,
        "lr": point.lr,
        "weight_decay": point.weight_decay,
        "status": "failed" if outcome.reason else status_of(last, spec.search.epochs),
        "reason": outcome.reason,
        "epochs": last.get("epoch", 0),
        "num_trained_parameters": _num_trained(source.arch, num_classes, point.freeze_depth),
        "views": spec.search.views,
        "replayed": outcome.is_replayed,
        **_costs(outcome),
    }


def _costs(outcome: Outcome) -> dict[str, Any]:
    curve = outcome.curve
    return {
        "seconds": summed(outcome, "seconds"),
        "started_at": min((row["began_at"] for row in curve if "began_at" in row), default=None),
        "ended_at": max((row["ended_at"] for row in curve if "ended_at" in row), default=None),
        "reused_s": summed(outcome, "reused_s"),
        "fused": max((row.get("fused", 1) for row in curve), default=1),
        "fused_s": summed(outcome, "saved_s"),
        "cached_s": summed(outcome, "cached_s"),
    }


def summed(outcome: Outcome, name: str) -> float:
    """A figure of a trial over its epochs."""
    return float(sum(row.get(name, 0.0) for row in outcome.curve))


def _num_trained(arch: str, num_classes: int, depth: int) -> int:
    network = skeleton(arch, num_classes)
    trained = set(freeze_account(network, depth).trained)
    return sum(parameter.numel() for name, parameter in network.named_parameters() if name in trained)


def _curve(outcome: Outcome) -> list[dict[str, Any]]:
    finite = [row for row in outcome.curve if math.isfinite(row.get("train_loss", math.nan))]
    return [{**row, "stage": "search"} for row in finite]
