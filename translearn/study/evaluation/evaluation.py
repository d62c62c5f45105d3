"""The evaluation step: the final choice, by validation; then test, of what was chosen alone."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from translearn.cluster.data.predict import Model, predict
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.console import say
from translearn.data.images.image_set import ImageSet
from translearn.evaluation.mistakes import Mistake, worst_mistakes
from translearn.evaluation.predictions import CONVERGED, SCRATCH, TRANSFER, Predictions
from translearn.evaluation.summary import evaluate
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import EVALUATION, MISTAKES, MODEL, REPORT, TRIALS
from translearn.study.evaluation.forgotten import forgotten, forgotten_by_depth
from translearn.study.evaluation.leaks import check_leaks
from translearn.study.evaluation.pictures import picture_counts, pictures_of
from translearn.study.evaluation.reading import Reading, read_test
from translearn.study.evaluation.sections import candidate_rows, dynamics_of, labels_of
from translearn.study.evaluation.target_check import check_target
from translearn.study.models import load, publish
from translearn.study.planning.budget import budget_of
from translearn.study.ranking.rank_card import ranking_figures
from translearn.study.refits.candidates import Candidate, is_probe
from translearn.study.refits.convergence import chosen_of, converged, convergence_of
from translearn.study.refits.depth_runs import depth_runs
from translearn.study.refits.refit import REFIT, refit_errors, refit_seeds, run_name
from translearn.study.sources.costs import costs_of
from translearn.study.tables import MISTAKE_SCHEMA, table

_THUMBNAIL = 96  # pixels

Models = dict[tuple[str, int], Model]


def evaluate_study(
    context: StudyContext, candidates: list[Candidate], left_out: dict[str, list[str]]
) -> dict[str, Any]:
    """Return every figure of the report, read from ``evaluation.json`` where the study has it already.

    Leaves ``costs.parquet``, ``mistakes.parquet``, ``model/``, the deployed model, and then ``evaluation.json``.
    ``left_out``: why other candidates are none any more, by name.
    """
    spec, folder, splits, sources = context.spec, context.folder, context.splits, context.sources
    classes, resources = context.classes, context.resources
    if folder.exists(EVALUATION):
        return dict(folder.read_json(EVALUATION))
    errors, chosen = refit_errors(spec, folder, candidates), chosen_of(spec, folder, candidates)
    scratch = chosen.get(SCRATCH)
    longer = converged(spec, folder, scratch) if scratch else None
    compared = {**chosen, **({CONVERGED: longer} if longer and longer.times > 1 else {})}
    models: Models = {
        (role, seed): load(folder / REFIT / run_name(candidate, index))
        for role, candidate in compared.items()
        for index, seed in enumerate(refit_seeds(spec))
    }
    trials = folder.read_table(TRIALS).to_pylist()
    tuned = models.get((TRANSFER, refit_seeds(spec)[0]))
    depths = depth_runs(spec, trials, candidates)
    more: dict[str, Any] = {
        "candidates": candidate_rows(candidates, errors, chosen),
        "budget": budget_of(spec, len(splits.train), context.lacking),
        "left_out": left_out,
        "dynamics": dynamics_of(spec, folder, chosen),
        "labels": labels_of(spec, folder, splits.train.labels, candidates, errors),
        "forgetting": forgotten(spec, folder, sources[chosen[TRANSFER].trial["source"]], tuned, resources)
        if tuned
        else None,
        "forgetting_by_depth": forgotten_by_depth(spec, folder, sources, depths, len(splits.val), resources),
        "ranking": ranking_figures(folder, trials),
        "leaks": check_leaks(spec, folder),
        "target_check": check_target(spec, folder, splits.dataset),
    }
    pictures = {split: pictures_of(spec, splits.dataset, split) for split in ("train", "val", "test")}
    on_val = _predictions(models, splits.val, pictures["val"], resources)
    costs = costs_of(spec, folder, len(classes), resources)  # what fails or takes long comes before test is read
    say("evaluating on test")
    test = read_test(spec, folder, splits)
    on_test = _predictions(models, test.images, pictures["test"], resources)
    labels = {"train": splits.train.labels, "val": splits.val.labels, "test": test.images.labels}
    more["pictures"] = picture_counts(classes, labels, pictures)
    evaluation = evaluate(
        on_test,
        on_val,
        classes,
        num_per_class=np.bincount(splits.train.labels, minlength=len(classes)).tolist(),
        trials={role: _trial(candidate) for role, candidate in compared.items()},
        test_reads=test.count,
        convergence=convergence_of(spec, folder, scratch, len(splits.train)) if scratch else None,
        more=more,
    )
    if probe := evaluation["linear_probe"]:
        probe["model"] = f"{REFIT}/{run_name(compared[probe['role']], refit_seeds(spec).index(probe['seed']))}"
    deployed = sources[compared[evaluation["deployed"]["role"]].trial["source"]]
    evaluation["cost"] = vars(costs[deployed.arch])
    _deploy(context, compared, evaluation)
    _keep_mistakes(folder, on_test, test, evaluation)
    folder.remove_file(REPORT)  # of an earlier command that was interrupted: beside the figures it would look final
    folder.write_json(EVALUATION, evaluation)
    return evaluation


def _trial(candidate: Candidate) -> dict[str, Any]:
    return {**candidate.trial, "candidate": candidate.name, "is_probe": is_probe(candidate.trial)}


def _predictions(models: Models, images: ImageSet, pictures: np.ndarray, resources: Resources) -> list[Predictions]:
    found = predict(list(models.values()), images, resources)
    return [Predictions(role, seed, p, images.labels, pictures) for (role, seed), p in zip(models, found, strict=True)]


def _deploy(context: StudyContext, chosen: dict[str, Candidate], evaluation: dict[str, Any]) -> None:
    spec, folder, deployed = context.spec, context.folder, evaluation["deployed"]
    candidate = chosen[deployed["role"]]
    run = run_name(candidate, refit_seeds(spec).index(deployed["seed"]))
    source = context.sources[candidate.trial["source"]]
    publish(folder / REFIT / run, folder / MODEL, evaluation, spec.target.data, source)


def _keep_mistakes(folder: Folder, on_test: list[Predictions], test: Reading, evaluation: dict[str, Any]) -> None:
    deployed = evaluation["deployed"]
    model = next(p for p in on_test if (p.role, p.seed) == (deployed["role"], deployed["seed"]))
    rows = [_mistake_row(mistake, test, evaluation["classes"]) for mistake in worst_mistakes(model)]
    folder.write_table(MISTAKES, table(rows, MISTAKE_SCHEMA))


def _mistake_row(mistake: Mistake, test: Reading, classes: list[str]) -> dict[str, Any]:
    return {
        "id": test.names[mistake.row],
        "class": classes[mistake.label],
        "predicted": classes[mistake.predicted],
        "confidence": mistake.confidence,
        "loss": mistake.loss,
        "image": _png(test.images.images[np.array([mistake.row])][0]),
    }


def _png(pixels: np.ndarray) -> bytes:
    image, content = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(content, "PNG")
    return content.getvalue()
