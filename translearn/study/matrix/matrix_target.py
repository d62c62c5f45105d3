"""One target of a matrix: every source is searched for itself, refitted, and read on test."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from translearn.cluster.data.predict import predict
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.console import say
from translearn.cluster.training.runs import worker_groups
from translearn.config import StudySpec
from translearn.evaluation.gain_matrix import Outcome
from translearn.evaluation.predictions import SCRATCH, TRANSFER, Predictions
from translearn.evaluation.verdict.sentences import leak_sentences, read_again_sentence
from translearn.models.sources import Source
from translearn.ranking.first_configurations import sources_in_turn
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext, study_context
from translearn.study.directory import TEST_READS, TRIALS, open_study
from translearn.study.evaluation.leaks import check_leaks
from translearn.study.evaluation.pictures import pictures_of
from translearn.study.evaluation.reading import num_reads, read_test
from translearn.study.models import load
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.refit import REFIT, refit, refit_errors, refit_seeds, run_name
from translearn.study.refits.survivors import survivors
from translearn.study.search import kept_trials, run_trials
from translearn.study.sources.obtain import source_dataset
from translearn.study.tables import TRIAL_SCHEMA, ranked_trials, table

ERRORS, LEFT_OUT = "errors.parquet", "left_out.json"
_REMEDY = "Raise search.trials, or lower the range of search.lr."
_TRIAL = ("freeze_depth", "lr", "weight_decay")
ERROR_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("arch", pa.string()),
        ("is_scratch", pa.bool_()),
        ("source_data", pa.string()),
        *(TRIAL_SCHEMA.field(name) for name in _TRIAL),
        ("data", pa.string()),
        ("seed", pa.int64()),
        ("wrong", pa.list_(pa.bool_())),
        ("pictures", pa.list_(pa.int64())),
    ]
)


def target_spec(spec: StudySpec, root: Folder, name: str, data: str) -> StudySpec:
    """Return the study of a target; it lies in ``root``. Every source has as many trials as the others."""
    return spec.model_copy(
        update={
            "name": name,
            "storage": root.uri,
            "target": spec.target.model_copy(update={"data": data}),
            "search": spec.search.model_copy(update={"prior": "off", "warm_start": "off"}),
            "refit": spec.refit.model_copy(update={"label_fractions": (), "forgetting": False}),
        }
    )


def outcomes_on(
    spec: StudySpec, sources: dict[str, Source], home: Folder, resources: Resources, command: str
) -> list[Outcome]:
    """Return the outcomes of every source and scratch on a target, from ``errors.parquet`` where it is there.

    Before test is read, it is looked for among the images that sources were trained on; both is said.

    Args:
        spec: As ``target_spec`` makes it.
        sources: All sources by name, scratch among them.
        home: The directory of the study whose sources they are.
        resources: The layout.
        command: What the user can repeat to get it.
    """
    folder = open_study(spec, command)
    leaks = check_leaks(spec, folder, home)
    for line in leak_sentences(leaks):
        say(f"{spec.name}: {line}")
    if not folder.exists(ERRORS):
        with study_context(spec, folder, resources, lambda: sources, num_sets=1) as context:
            rows = _tried(context, home)
        folder.write_table(ERRORS, table(rows, ERROR_SCHEMA))
        (folder / REFIT).remove()
    for name, reason in folder.read_json(LEFT_OUT).items():
        say(f"{spec.name}: {name} is left out: {reason}. {_REMEDY}")
    if (reads := num_reads(folder)) > 1:
        say(f"{spec.name}: {read_again_sentence(reads, folder.address(TEST_READS))}")
    return _outcomes(spec.name, folder.read_table(ERRORS).to_pylist(), leaks, reads)


def _tried(context: StudyContext, home: Folder) -> list[dict[str, Any]]:
    spec, folder, splits, sources = context.spec, context.folder, context.splits, context.sources
    if not folder.exists(TRIALS):
        first = sources_in_turn(spec, sources)
        run_trials(context, first, kind=itemgetter("source"))
    trials = kept_trials(folder)
    num = spec.refit.candidates
    found = {name: _candidates(trials, source, num) for name, source in sources.items()}
    with worker_groups(folder / REFIT, context.resources, spec.cluster.checkpoint_interval_s) as groups:
        refit(context, [one for own in found.values() for one in own], groups)
    left = {name: survivors(spec, folder, own) for name, own in found.items()}
    _keep_left_out(context, found, left)
    best = [_best(spec, folder, own) for own in left.values() if own]
    if not best:
        return []
    runs = [(candidate, index) for candidate in best for index in range(spec.refit.seeds)]
    models = [load(folder / REFIT / run_name(*run)) for run in runs]
    pictures = pictures_of(spec, splits.dataset, "test").tolist()
    images = read_test(spec, folder, splits).images
    probabilities = predict(models, images, context.resources)
    known = {name: _known(source, spec, home) for name, source in sources.items()}
    return [
        {
            **known[candidate.trial["source"]],
            **{key: candidate.trial[key] for key in _TRIAL},
            "data": splits.dataset.manifest.fingerprint,
            "seed": refit_seeds(spec)[index],
            "wrong": Predictions(candidate.roles[0], index, p, images.labels).errors.tolist(),
            "pictures": pictures,
        }
        for (candidate, index), p in zip(runs, probabilities, strict=True)
    ]


def _candidates(trials: list[dict[str, Any]], source: Source, num: int) -> list[Candidate]:
    """Return the best trials of a source; none where no trial gave a result."""
    role = SCRATCH if source.kind == "scratch" else TRANSFER
    best = ranked_trials([row for row in trials if row["source"] == source.name])[:num]
    return [Candidate(f"{source.name}-{rank}", (role,), trial) for rank, trial in enumerate(best)]


def _best(spec: StudySpec, folder: Folder, own: list[Candidate]) -> Candidate:
    """Return the candidate of a source with the lowest mean validation error; no refit of it diverged."""
    means = {name: float(np.mean(errors)) for name, errors in refit_errors(spec, folder, own).items()}
    return min(own, key=lambda one: means[one.name])


def _keep_left_out(context: StudyContext, found: dict[str, list[Candidate]], left: dict[str, list[Candidate]]) -> None:
    """Write down why sources are not compared: no trial gave a result, or a refit of each candidate diverged."""
    reasons = {
        name: "a refit of each candidate diverged" if found[name] else "every trial failed"
        for name, own in left.items()
        if not own
    }
    context.folder.write_json(LEFT_OUT, reasons)


def _known(source: Source, spec: StudySpec, home: Folder) -> dict[str, Any]:
    datasets = [source_dataset(one, home) for one in spec.sources if one.name == source.name]
    at_hand = next((dataset.manifest.fingerprint for dataset in datasets if dataset), None)
    return {
        "source": source.name,
        "arch": source.arch,
        "is_scratch": source.kind == "scratch",
        "source_data": at_hand or source.provenance.get("data_fingerprint"),
    }


def _outcomes(target: str, rows: list[dict[str, Any]], leaks: dict[str, Any], test_reads: int) -> list[Outcome]:
    """Return a row a source and seed, gathered by source."""
    leaked = {row["source"]: (row["num_exact"], row["num_near"]) for row in leaks["sources"]}
    of_source: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_source.setdefault(row["source"], []).append(row)
    return [
        Outcome(
            target=target,
            **{key: own[0][key] for key in ("data", "source", "arch", "is_scratch", "source_data")},
            trial={key: own[0][key] for key in _TRIAL},
            errors={row["seed"]: np.array(row["wrong"]) for row in own},
            pictures=np.array(own[0]["pictures"]),
            leaks=leaked.get(own[0]["source"]),
            test_reads=test_reads,
        )
        for own in of_source.values()
    ]
