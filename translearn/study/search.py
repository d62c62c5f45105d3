"""The search step: trials of every source, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from translearn.cluster.data.shared import Task
from translearn.cluster.resources import Resources
from translearn.cluster.search import Outcome, run_search
from translearn.cluster.tracking.console import Board, board, say, status_of
from translearn.cluster.tracking.tensorboard import EventFiles
from translearn.config import StudySpec
from translearn.contest import League, Point, Proposals, Row, scratch_apart
from translearn.models.sources import Source
from translearn.proposals import OptunaProposals
from translearn.ranking.prior import Prior
from translearn.storage.folder import Folder
from translearn.study.data import Splits
from translearn.study.directory import TRIALS
from translearn.study.ranking.history import remember
from translearn.study.ranking.warm_start import warm_start
from translearn.study.sources import pretrain_curves
from translearn.study.tracked import tell_trial
from translearn.study.trial_rows import keep_trials, summed

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
    """Makes the trials, unless they were made; leaves ``curves.parquet``, then ``trials.parquet``; past studies teach.

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
        tried = sources if prior is None else _in_order(sources, prior)
        past = warm_start(spec, folder, splits, tried)
        proposals, earlier = OptunaProposals(spec, tried, prior, past), pretrain_curves(spec, folder)
        make_trials(spec, folder, splits, tried, resources, proposals, earlier=earlier)
    trials = kept_trials(folder)
    remember(spec, folder, splits, sources, trials)
    return trials


def _in_order(sources: dict[str, Source], prior: Prior) -> dict[str, Source]:
    """The sources that are kept, best first, and scratch."""
    scratch = [name for name, source in sources.items() if source.kind == "scratch"]
    return {name: sources[name] for name in (*prior.order, *scratch)}


def make_trials(
    spec: StudySpec,
    folder: Folder,
    splits: Splits,
    sources: dict[str, Source],
    resources: Resources,
    proposals: Proposals,
    league: League = scratch_apart,
    earlier: Sequence[Row] = (),
) -> None:
    """Makes trials of these sources; leaves ``curves.parquet``, ``earlier`` rows first, then ``trials.parquet``."""
    num_classes = len(splits.dataset.manifest.classes)
    say(f"searching: {spec.search.trials} trials, {resources.concurrent_trials} lanes")
    task = Task(splits.train, splits.val, num_classes, sources)
    outcomes = _raced(spec, task, folder / SEARCH, resources, proposals, league)
    keep_trials(outcomes, folder, sources, num_classes, spec, list(earlier))
    _say_what_was_saved(outcomes, on_gpu=bool(resources.gpus))


def kept_trials(folder: Folder) -> list[dict[str, Any]]:
    """The rows of ``trials.parquet``; what the search needed to go on is deleted, and what TensorBoard reads stays."""
    for name in set((folder / SEARCH).names()) - {_EVENTS} if folder.exists(SEARCH) else ():
        (folder / SEARCH / name).remove()
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _raced(
    spec: StudySpec, task: Task, folder: Folder, resources: Resources, proposals: Proposals, league: League
) -> list[Outcome]:
    events = EventFiles(folder / _EVENTS)
    with board("trials", spec.search.trials, spec.search.epochs, spec.name) as shown:

        def take(row: Row, point: Point) -> None:
            if not row["is_replay"]:
                events.add(row)
            tell_trial(spec, row, point)
            _show(shown, row, spec.search.epochs)

        outcomes = run_search(spec, task, folder, resources, take, proposals, league)
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


def _say_what_was_saved(outcomes: list[Outcome], on_gpu: bool) -> None:
    saved = {name: sum(summed(outcome, name) for outcome in outcomes) for name in ("reused_s", "saved_s", "cached_s")}
    say(
        f"saved: {saved['reused_s']:.0f} s by warm processes, {saved['saved_s']:.0f} s by sharing input, "
        f"{saved['cached_s']:.0f} s by stored boundaries"
    )
    for outcome in outcomes:
        if outcome.is_replayed is not None:
            say(_replay_line(outcome, on_gpu))


def _replay_line(outcome: Outcome, on_gpu: bool) -> str:
    """Whether a replay gave the same weights: a warning where it did not, most of all where it must."""
    if outcome.is_replayed:
        return f"replay of {outcome.run}: the same weights"
    differs = outcome.replay_reason or "other weights than in the search"
    rule = (
        "On a GPU kernels may sum in another order." if on_gpu else "On a CPU they must be the same: please report it."
    )
    return f"warning: replay of {outcome.run}: {differs}. {rule}"
