"""The search step: trials of every source, and the tables of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from translearn.cluster.tracking.console import board, say, status_of
from translearn.cluster.tracking.trackers import trial_callbacks
from translearn.cluster.tuning.results import TrialResult
from translearn.cluster.tuning.schedulers import Kind
from translearn.cluster.tuning.tuner import SCRATCH_SEARCH, run_search
from translearn.models.sources import Source
from translearn.ranking.first_configurations import FirstConfig, first_configurations, scratch_trials
from translearn.ranking.prior import Past, Prior
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import TRIALS
from translearn.study.ranking.history import remember
from translearn.study.ranking.warm_start import warm_start
from translearn.study.refits.candidates import best_archs
from translearn.study.sources.obtain import pretrain_curves
from translearn.study.trial_rows import keep_trials, trial_row
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
        options = {**tuning, "on_whole": partial(keep_trial, context), "time_s": time_s}
        is_mixed = len({source.arch for source in tried.values()}) > 1
        run = _scratch_last if is_mixed else _all_at_once
        found = run(replace(context, sources=tried), prior, past, options)
        _keep(context, found, pretrain_curves(spec, folder))
    trials = kept_trials(folder)
    remember(spec, folder, splits, sources, trials)
    return trials


def _all_at_once(context: StudyContext, prior: Prior | None, past: Past, options: dict[str, Any]) -> list[TrialResult]:
    return _trials(context, first_configurations(context.spec, context.sources, prior, past), **options)


def _scratch_last(context: StudyContext, prior: Prior | None, past: Past, options: dict[str, Any]) -> list[TrialResult]:
    """Run the trials of sources of several architectures, then those of scratch, of the best trials' architectures.

    Scratch of each architecture would cost more than it tells: the baseline is that of the winner's.
    """
    spec = context.spec
    # Tune prepares a scheduler for one search; a searcher of the user's is for the sources.
    own_scheduler = copy.deepcopy(options.get("scheduler"))
    of_scratch = {"search_alg": None, "scheduler": own_scheduler, "experiment": SCRATCH_SEARCH}
    scratch = {name: source for name, source in context.sources.items() if source.kind == "scratch"}
    others = {name: source for name, source in context.sources.items() if name not in scratch}
    num = scratch_trials(spec, len(others), len(scratch))
    found = _part(replace(context, sources=others), spec.search.trials - num, prior, past, options)
    rows = [trial_row(result, len(context.classes), spec.search.epochs) for result in found]
    archs = best_archs(rows, spec.refit.candidates)
    say(f"scratch: {num} trials of {' and '.join(archs)}, which the best trials with transfer have")
    baselines = {name: source for name, source in scratch.items() if source.arch in archs}
    return found + _part(replace(context, sources=baselines), num, None, past, options | of_scratch)


def _part(
    context: StudyContext, num: int, prior: Prior | None, past: Past, options: dict[str, Any]
) -> list[TrialResult]:
    """Run so many of a study's trials, of the context's sources alone, in their part of its time."""
    spec, share = context.spec, num / context.spec.search.trials
    times = {"time_budget_s": spec.search.time_budget_s, "time_s": options["time_s"]}
    own = {name: seconds and seconds * share for name, seconds in times.items()}
    search = {"trials": num, "time_budget_s": own["time_budget_s"]}
    part = spec.model_copy(update={"search": spec.search.model_copy(update=search)})
    known = replace(past, configs=[config for config in past.configs if config.source in context.sources])
    return _all_at_once(replace(context, spec=part), prior, known, {**options, "time_s": own["time_s"]})


def run_trials(context: StudyContext, first: Sequence[FirstConfig], kind: Kind) -> None:
    """Run trials of the sources; write ``curves.parquet`` and ``trials.parquet``."""
    _keep(context, _trials(context, first, kind=kind), [])


def _keep(context: StudyContext, found: Sequence[TrialResult], earlier: Sequence[dict[str, Any]]) -> None:
    keep_trials(found, context.folder, len(context.classes), context.spec.search.epochs, earlier)


def _trials(context: StudyContext, first: Sequence[FirstConfig], **options: Any) -> list[TrialResult]:
    """Run trials of the context's sources; ``options`` are those of ``run_search``."""
    spec, resources, epochs = context.spec, context.resources, context.spec.search.epochs
    say(f"searching: {spec.search.trials} trials, {resources.concurrent_trials} at once")
    with board("trials", spec.search.trials, epochs, spec.name) as shown:

        def show(run: str, config: Mapping[str, Any], result: Mapping[str, Any], is_over: bool) -> None:
            row = {**result, "name": _short(config)}
            shown.update(run, row, status_of(row, epochs) if is_over else "running")

        return run_search(
            spec,
            context.task(context.sources),
            context.folder,
            resources,
            first,
            on_result=show,
            on_waiting=lambda run, config: shown.expect(run, name=_short(config)),
            callbacks=trial_callbacks(spec),
            **options,
        )


def _short(config: Mapping[str, Any]) -> str:
    """Return the name of a trial in a table, where its end may be cut."""
    return f"d{config['freeze_depth']} lr {config['lr']:.1e} {config['source']}"


def kept_trials(folder: Folder) -> list[dict[str, Any]]:
    """Return the rows of ``trials.parquet``."""
    trials: list[dict[str, Any]] = folder.read_table(TRIALS).to_pylist()
    return trials


def _in_order(sources: dict[str, Source], prior: Prior) -> dict[str, Source]:
    """Return the sources that are kept, best first, and scratch of their architectures."""
    archs = {sources[name].arch for name in prior.order}
    scratch = [name for name, source in sources.items() if source.kind == "scratch" and source.arch in archs]
    return {name: sources[name] for name in (*prior.order, *scratch)}
