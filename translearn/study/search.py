"""The search step: trials of every source, and the tables of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from translearn.cluster.tracking.console import board, say, status_of
from translearn.cluster.tracking.trackers import trial_callbacks
from translearn.cluster.tuning.schedulers import Kind
from translearn.cluster.tuning.tuner import run_search
from translearn.models.sources import Source
from translearn.ranking.first_configurations import FirstConfig, first_configurations
from translearn.ranking.prior import Prior
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import TRIALS
from translearn.study.ranking.history import remember
from translearn.study.ranking.warm_start import warm_start
from translearn.study.sources import pretrain_curves
from translearn.study.trial_rows import keep_trials
from translearn.study.unfinished.early_model import keep_trial


def search(
    context: StudyContext, prior: Prior | None = None, time_s: float | None = None, **tuning: Any
) -> list[dict[str, Any]]:
    """Run the trials, unless that was done; write ``curves.parquet``, then ``trials.parquet``.

    Args:
        context: The study.
        prior: The ranking of the sources with weights; those that it leaves out have no trials.
        time_s: After so many seconds from now no trial goes on; None for no end.
        tuning: ``search_alg`` and ``scheduler`` of Tune in place of those of the study.

    Returns:
        The rows of ``trials.parquet``, in the order in which the trials were suggested.
    """
    spec, folder, splits, sources = context.spec, context.folder, context.splits, context.sources
    if not folder.exists(TRIALS):
        tried = sources if prior is None else _in_order(sources, prior)
        past = warm_start(spec, folder, splits, tried)
        first, earlier = first_configurations(spec, tried, prior, past), pretrain_curves(spec, folder)
        tried_context = replace(context, sources=tried)
        keep = partial(keep_trial, context)
        run_trials(tried_context, first, earlier=earlier, on_whole=keep, time_s=time_s, **tuning)
    trials = kept_trials(folder)
    remember(spec, folder, splits, sources, trials)
    return trials


def run_trials(
    context: StudyContext,
    first: Sequence[FirstConfig],
    kind: Kind | None = None,
    earlier: Sequence[dict[str, Any]] = (),
    **tuning: Any,
) -> None:
    """Run trials of the sources; write ``curves.parquet``, ``earlier`` rows first, then ``trials.parquet``.

    ``tuning``: more arguments of ``tuner.run_search``.
    """
    spec, resources, epochs = context.spec, context.resources, context.spec.search.epochs
    say(f"searching: {spec.search.trials} trials, {resources.concurrent_trials} at once")
    task, folder = context.task(context.sources), context.folder
    with board("trials", spec.search.trials, epochs, spec.name) as shown:

        def show(run: str, config: Mapping[str, Any], result: Mapping[str, Any], is_over: bool) -> None:
            row = {**result, "name": _short(config)}
            shown.update(run, row, status_of(row, epochs) if is_over else "running")

        found = run_search(
            spec,
            task,
            folder,
            resources,
            first,
            on_result=show,
            on_waiting=lambda run, config: shown.expect(run, name=_short(config)),
            callbacks=trial_callbacks(spec),
            kind=kind,
            **tuning,
        )
    keep_trials(found, folder, task.num_classes, epochs, earlier)


def _short(config: Mapping[str, Any]) -> str:
    """Return the name of a trial in a table, where its end may be cut."""
    return f"d{config['freeze_depth']} lr {config['lr']:.1e} {config['source']}"


def kept_trials(folder: Folder) -> list[dict[str, Any]]:
    """Return the rows of ``trials.parquet``."""
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _in_order(sources: dict[str, Source], prior: Prior) -> dict[str, Source]:
    """Return the sources that are kept, best first, and scratch."""
    scratch = [name for name, source in sources.items() if source.kind == "scratch"]
    return {name: sources[name] for name in (*prior.order, *scratch)}
