"""The steps of a study in their order. Each does nothing that an earlier run of the study has done."""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from translearn.cluster.data.shared import share
from translearn.cluster.resources import with_nodes_of_now
from translearn.cluster.tracking.console import board, say, terminal_width
from translearn.cluster.tracking.trackers import run_tracker, track_result
from translearn.cluster.training.runs import train_jobs, worker_groups
from translearn.cluster.training.worker import Job
from translearn.errors import TranslearnError, fault, raise_faults
from translearn.models.model_info import read_info
from translearn.models.sources import Source, scratch
from translearn.ranking.first_configurations import probe_rate
from translearn.report.page import render
from translearn.report.record import StudyRecord
from translearn.report.words import cost_words
from translearn.storage.folder import Folder
from translearn.study import directory
from translearn.study.context import StudyContext, study_context
from translearn.study.datasets.prepare import num_sets, target_dataset
from translearn.study.done import check_evaluated, closing
from translearn.study.evaluation.evaluation import evaluate_study
from translearn.study.models import check_trained, model_info
from translearn.study.opening import Study
from translearn.study.planning.time_budget import TimeBudget
from translearn.study.ranking.rank import prior, rank
from translearn.study.ranking.rank_card import untried
from translearn.study.ranking.rank_words import ranking_lines
from translearn.study.refits.candidates import Candidate, candidates
from translearn.study.refits.convergence import refit_longer
from translearn.study.refits.more_refits import more_left_out, refit_more
from translearn.study.refits.refit import REFIT, refit
from translearn.study.refits.survivors import left_out, pairs
from translearn.study.search import search
from translearn.study.sources.costs import sources_with_costs
from translearn.study.sources.obtain import obtain_sources, source_dataset
from translearn.study.unfinished.early_model import keep_probe
from translearn.training.config import TrainConfig


def run_pretrain(study: Study, only: str | None = None) -> dict[str, Any]:
    """Obtain the sources, or one of them, pre-training where the study says so."""
    sources = obtain_sources(study.spec, study.folder, study.resources, only)
    errors = {name: source.source_error for name, source in sources.items() if source.source_error is not None}
    for name, error in errors.items():
        say(f"{name}: source error {100 * error:.1f} %")
    return {"sources": {name: {"source_error": errors.get(name)} for name in sources}}


def run_rank(study: Study) -> dict[str, Any]:
    """Rank the sources, before any trial; return the content of ``ranking.json``."""
    with _context(study) as context:
        was_ranked = context.folder.exists(directory.RANKING)
        ranking, _ = _ranked(context)
        if was_ranked:
            _tell_ranking(context, ranking)
        return ranking


def run_search(study: Study) -> dict[str, Any]:
    """Everything up to the trials; returns the best one."""
    with _context(study) as context:
        _, found = _searched(context, study)
    roles = {role: next(c.trial for c in found if role in c.roles) for role in dict.fromkeys(c.roles[0] for c in found)}
    for role, trial in roles.items():
        setting = f"{trial['source']}, freeze depth {trial['freeze_depth']}, learning rate {trial['lr']:.2g}"
        say(f"best {role} trial: {setting}: validation error {100 * trial['val_error']:.1f} %")
    return {"best": roles}


def run_finetune(study: Study, source: str, freeze_depth: int, lr: float) -> dict[str, Any]:
    """One source, freeze depth and learning rate on the target; leaves ``finetune/<run>/`` in the study."""
    spec, folder = study.spec, study.folder
    known = {spec.scratch_name(arch): arch for arch in spec.archs}
    names = [one.name for one in spec.sources]
    if source not in (*names, *known):
        rule = f"must be one of {', '.join((*names, *known))}"
        raise_faults([fault("--source", rule, repr(source), study.left_out)])

    def only_source() -> dict[str, Source]:
        if source in known:
            return {source: scratch(known[source], source)}
        return obtain_sources(spec, folder, study.resources, source)

    run, out = f"{source}-d{freeze_depth}-lr{lr}", folder / "finetune"
    setting = {"source": source, "freeze_depth": freeze_depth, "lr": lr}
    with study_context(spec, folder, study.resources, only_source, num_sets(spec)) as context:
        arch, epochs = context.sources[source].arch, context.spec.search.epochs
        config = TrainConfig(freeze_depth, lr, epochs, spec.seed, context.spec.train)
        task = share(context.task({source: context.sources[source]}))
        job = Job(run, task, source, config, model_info(arch, context.splits.dataset, spec, setting))
        with board("fine-tune", 1, epochs, spec.name) as shown:
            followers = (shown.follow, run_tracker(spec, "finetune", [job]))
            train_jobs([job], out, study.resources, spec.cluster.checkpoint_interval_s, followers)
    check_trained(out / run)
    error = read_info(out / run).errors.validation or 0.0
    say(f"validation error {100 * error:.1f} %; model in {(out / run).uri}")
    return {**setting, "val_error": error, "model": (out / run).uri}


def run_evaluate(study: Study) -> dict[str, Any]:
    """Everything up to the figures of ``evaluation.json``."""
    evaluation = _evaluated(study)
    _tell(study, evaluation)
    track_result(study.spec, evaluation, {"model": study.folder.address(directory.MODEL)})
    return closing(evaluation)


def _evaluated(study: Study) -> dict[str, Any]:
    with _context(study) as context:
        context, found = _searched(context, study)
        left, reasons = found, dict[str, list[str]]()
        if not study.folder.exists(directory.EVALUATION):
            context, left = _refitted(context, found, study.time)
            reasons = left_out(context.spec, study.folder, found) | more_left_out(context, left)
        return evaluate_study(context, left, reasons)


def _tell(study: Study, evaluation: dict[str, Any]) -> None:
    for line in [*(f"Warning: {line}" for line in study.warnings), *evaluation["summary"]]:
        say(line)


def _refitted(
    context: StudyContext, found: list[Candidate], time_budget: TimeBudget | None
) -> tuple[StudyContext, list[Candidate]]:
    """Do every refit that there is time for; return the context that says so, and the candidates that are left."""
    spec, folder, resources = context.spec, context.folder, with_nodes_of_now(context.resources)
    with worker_groups(folder / REFIT, resources, spec.cluster.checkpoint_interval_s) as groups:
        refit(context, found, groups)
        found = pairs(spec, folder, found)
        refit_more(context, found, groups)
        context = time_budget.for_longer(context, found) if time_budget else context
        refit_longer(context, found, groups)
    return context, found


def run_report(study: Study) -> dict[str, Any]:
    """Write ``report.html`` from what the study has; it must have been evaluated."""
    folder = study.folder
    check_evaluated(folder)
    record = StudyRecord(
        spec=yaml.safe_load(folder.read_bytes(directory.SPEC)),
        provenance=folder.read_json(directory.PROVENANCE),
        evaluation=folder.read_json(directory.EVALUATION),
        sources=sources_with_costs(folder),
        trials=folder.read_table(directory.TRIALS),
        curves=folder.read_table(directory.CURVES),
        mistakes=folder.read_table(directory.MISTAKES),
        datasets=_manifests(study),
        warnings=study.warnings,
        left_out=study.left_out,
    )
    try:
        page = render(record).encode()
    except Exception as error:
        raise TranslearnError(_report_fault(folder, error)) from error
    folder.write_bytes(directory.REPORT, page)
    say(f"report: {folder.address(directory.REPORT)}")
    return {"report": folder.address(directory.REPORT)}


def run_study(study: Study) -> dict[str, Any]:
    """Do the whole study."""
    evaluation, places = _evaluated(study), {"model": study.folder.address(directory.MODEL)}
    say(f"model:  {places['model']}")
    say(f"cost:   {cost_words(evaluation['cost'])}")
    try:
        places |= run_report(study)
    finally:  # the figures are told also where no page can be made of them
        _tell(study, evaluation)
        track_result(study.spec, evaluation, places)
    return {**closing(evaluation), **places}


def _report_fault(folder: Folder, error: Exception) -> str:
    """Return the message of a page that could not be rendered: a fault of ours, so it names the place."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(frame.filename).name}, line {frame.lineno})"
    return (
        f"{folder.address(directory.REPORT)}: cannot be made, because of {at}. The study is done: its figures are in "
        f"{directory.EVALUATION}, its model in {directory.MODEL}/. This is a fault of translearn: please report it."
    )


def _context(study: Study) -> AbstractContextManager[StudyContext]:
    return study_context(study.spec, study.folder, study.resources, lambda: _sources(study), num_sets(study.spec))


def _searched(context: StudyContext, study: Study) -> tuple[StudyContext, list[Candidate]]:
    """Do the trials that there is time for; return the context that says what refits there is time for, and these."""
    spec, timed = context.spec, study.time
    ranking, features = _ranked(context) if spec.search.prior == "auto" else (None, {})
    first = ranking["order"][0] if ranking else spec.sources[0].name
    keep_probe(context, first, features.get(first))
    context = timed.for_search(context) if timed else context
    sources_prior = prior(ranking) if ranking else None
    trials = search(context, sources_prior, timed.search_s() if timed else None, **study.tuning)
    for row in untried(ranking, trials) if ranking else []:
        say(f"recommended and never tried: {row['source']} at freeze depth {row['freeze_depth']}")
    context = timed.for_refits(context, trials) if timed else context
    return context, candidates(
        trials, context.sources, context.spec.refit.candidates, probe_rate(spec, spec.default_lr)
    )


def _sources(study: Study) -> dict[str, Source]:
    """Every source; the study's provenance then says what it is made from."""
    sources = obtain_sources(study.spec, study.folder, study.resources)
    data = {name: manifest["fingerprint"] for name, manifest in _manifests(study).items()}
    weights = {name: source.fingerprint for name, source in sources.items()}
    directory.add_fingerprints(study.folder, data, weights)
    return sources


def _ranked(context: StudyContext) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the ranking and what ``rank`` gives beside it; tell it where it is new."""
    was_ranked = context.folder.exists(directory.RANKING)
    ranking, features = rank(context)
    if not was_ranked:
        _tell_ranking(context, ranking)
    return ranking, features


def _tell_ranking(context: StudyContext, ranking: dict[str, Any]) -> None:
    rows = context.folder.read_table(directory.RANKING_TABLE).to_pylist()
    for line in ranking_lines(ranking, rows, terminal_width()):
        say(line)


def _manifests(study: Study) -> dict[str, dict[str, Any]]:
    sets = {"target": target_dataset(study.spec, study.folder)}
    for source in study.spec.sources:
        dataset = source_dataset(source, study.folder)
        if dataset:
            sets[source.name] = dataset
    return {name: dataset.manifest.model_dump(mode="json") for name, dataset in sets.items()}
