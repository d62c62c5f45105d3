"""The search step: trials of every source, and what is kept of them."""

from __future__ import annotations

import math
from typing import Any

from translearn.cluster.console import Board, board, say, status_of
from translearn.cluster.resources import Resources
from translearn.cluster.search import Outcome, run_search
from translearn.cluster.shared import Task
from translearn.cluster.tensorboard import EventFiles
from translearn.contest import Row
from translearn.models.freeze import freeze_account
from translearn.models.network import skeleton
from translearn.prior import Prior
from translearn.proposals import OptunaProposals
from translearn.sources import Source
from translearn.spec import StudySpec
from translearn.storage import Folder
from translearn.study.data import Splits
from translearn.study.directory import CURVES, TRIALS
from translearn.study.sources import pretrain_curves
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA, table

SEARCH = "search"
_EVENTS = "tensorboard"


def search(
    spec: StudySpec,
    folder: Folder,
    splits: Splits,
    sources: dict[str, Source],
    resources: Resources,
    prior: Prior | None = None,
) -> list[dict[str, Any]]:
    """Makes the trials, unless they were made; leaves ``curves.parquet``, then ``trials.parquet``.

    Args:
        spec: The study.
        folder: Its directory.
        splits: The target's.
        sources: All sources, scratch among them.
        resources: The layout.
        prior: What a ranking says of the sources with weights; those that it leaves out have no trials.

    Returns:
        The rows of ``trials.parquet``, in the order in which the trials were drawn.
    """
    if not folder.exists(TRIALS):
        num_classes = len(splits.dataset.manifest.classes)
        say(f"searching: {spec.search.trials} trials, {resources.concurrent_trials} lanes")
        tried = {n: s for n, s in sources.items() if prior is None or s.kind == "scratch" or n in prior.weights}
        task = Task(splits.train, splits.val, num_classes, tried)
        outcomes = _raced(spec, task, folder / SEARCH, resources, OptunaProposals(spec, tried, prior))
        _keep(outcomes, folder, sources, num_classes, spec)
        _say_what_was_saved(outcomes)
    # What TensorBoard reads stays.
    for name in set((folder / SEARCH).names()) - {_EVENTS} if folder.exists(SEARCH) else ():
        (folder / SEARCH / name).remove()
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _raced(
    spec: StudySpec, task: Task, folder: Folder, resources: Resources, proposals: OptunaProposals
) -> list[Outcome]:
    events = EventFiles(folder / _EVENTS)
    with board("trials", spec.search.trials, spec.search.epochs) as shown:

        def take(row: Row) -> None:
            if not row["is_replay"]:
                events.add(row)
            _show(shown, row, spec.search.epochs)

        outcomes = run_search(spec, task, folder, resources, take, proposals)
        for outcome in outcomes:
            _end(shown, outcome, spec.search.epochs)
    events.close()
    return outcomes


def _show(shown: Board, row: Row, num_epochs: int) -> None:
    """Shows an epoch; a trial that waits at a rung may yet go on, so only the end of the search tells its end."""
    is_done = row["epoch"] >= num_epochs or "reason" in row
    name = f"{row['run']} (replay)" if row["is_replay"] else row["run"]
    shown.update(name, row, status_of(row, num_epochs) if is_done else "running")


def _end(shown: Board, outcome: Outcome, num_epochs: int) -> None:
    last = outcome.curve[-1] if outcome.curve else {}
    status = "failed" if outcome.reason else status_of(last, num_epochs)
    if status == "stopped" or "epoch" not in last or outcome.reason:
        shown.update(outcome.run, {**last, "reason": outcome.reason}, status)


def _say_what_was_saved(outcomes: list[Outcome]) -> None:
    saved = {name: sum(_sum(outcome, name) for outcome in outcomes) for name in ("reused_s", "saved_s", "cached_s")}
    say(
        f"saved: {saved['reused_s']:.0f} s by warm processes, {saved['saved_s']:.0f} s by sharing input, "
        f"{saved['cached_s']:.0f} s by stored boundaries"
    )
    for outcome in outcomes:
        if outcome.is_replayed is not None:
            differs = outcome.replay_reason or "other weights than in the search"
            say(f"replay of {outcome.run}: {'the same weights' if outcome.is_replayed else differs}")


def _keep(
    outcomes: list[Outcome], folder: Folder, sources: dict[str, Source], num_classes: int, spec: StudySpec
) -> None:
    trials = [_trial_row(outcome, sources, num_classes, spec) for outcome in outcomes]
    curves = [row for outcome in outcomes for row in _curve(outcome)]
    folder.write_table(CURVES, table(pretrain_curves(spec, folder) + curves, CURVE_SCHEMA))
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
        "seconds": _sum(outcome, "seconds"),
        "started_at": min((row["began_at"] for row in curve if "began_at" in row), default=None),
        "ended_at": max((row["ended_at"] for row in curve if "ended_at" in row), default=None),
        "reused_s": _sum(outcome, "reused_s"),
        "fused": max((row.get("fused", 1) for row in curve), default=1),
        "fused_s": _sum(outcome, "saved_s"),
        "cached_s": _sum(outcome, "cached_s"),
    }


def _sum(outcome: Outcome, name: str) -> float:
    return float(sum(row.get(name, 0.0) for row in outcome.curve))


def _num_trained(arch: str, num_classes: int, depth: int) -> int:
    network = skeleton(arch, num_classes)
    trained = set(freeze_account(network, depth).trained)
    return sum(parameter.numel() for name, parameter in network.named_parameters() if name in trained)


def _curve(outcome: Outcome) -> list[dict[str, Any]]:
    finite = [row for row in outcome.curve if math.isfinite(row.get("train_loss", math.nan))]
    return [{**row, "stage": "search"} for row in finite]
