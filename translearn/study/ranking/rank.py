"""The ranking step: what every source's features tell of the target, before any trial."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np

from translearn.cluster.data.placed import place_images
from translearn.cluster.scoring import Scored, score_sources
from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.data.images.decode import select_split
from translearn.data.images.image_set import ImageSet
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.ranking.decisions import Contender, Ranked, ranked
from translearn.ranking.domains import Distances
from translearn.ranking.prior import Prior
from translearn.ranking.scores import stratified_rows
from translearn.ranking.subsamples import Spread
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.datasets.names import limits
from translearn.study.directory import RANKING, RANKING_TABLE
from translearn.study.sources.obtain import source_dataset
from translearn.study.tables import RANKING_SCHEMA, table
from translearn.words import plural


def rank(context: StudyContext) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Rank the study's sources, unless that was done; leave ``ranking.parquet``, then ``ranking.json``.

    Of the target, training images alone are read.

    Returns:
        The content of ``ranking.json``, and by source the features that were computed for it.
    """
    spec, folder, sources = context.spec, context.folder, context.sources
    scored: dict[str, Scored] = {}
    if not folder.exists(RANKING):
        started = time.perf_counter()
        names = [name for name, source in sources.items() if source.kind != "scratch"]
        say(f"ranking {plural(len(names), 'source')} on the target's training images")
        scored = score_sources(context.task(sources), _own_images(spec, folder), spec, context.resources)
        folder.write_table(RANKING_TABLE, table(_rows(scored), RANKING_SCHEMA))
        ranking = ranking_of(scored, sources, len(context.splits.train))
        folder.write_json(RANKING, {**ranking, "seconds": time.perf_counter() - started})
    return dict(folder.read_json(RANKING)), {name: found.features for name, found in scored.items()}


def prior(ranking: dict[str, Any]) -> Prior:
    """Return a study's ranking, as its search uses it."""
    kept = [row for row in ranking["sources"] if not row["is_dropped"]]
    return Prior(
        weights={row["source"]: row["weight"] for row in kept},
        freeze_depths={row["source"]: row["freeze_depth"] for row in kept},
    )


def _own_images(spec: StudySpec, folder: Folder) -> dict[str, ImageSet]:
    """Training images of each source whose data set is at hand, no more than are used."""
    found = {}
    for source in spec.sources:
        dataset = source_dataset(source, folder)
        if dataset and source.own_data:
            per_class = limits(source.own_data[1]).train
            whole = select_split(dataset, "train", spec.target.image_size, per_class, spec.seed)
            rows = stratified_rows(whole.labels, spec.rank.max_examples, spec.seed)
            part = {name: getattr(whole, name)[rows] for name in ("rows", "labels", "keys")}
            found[source.name] = place_images(dataclasses.replace(whole, **part), "memory")
    return found


def _rows(scored: dict[str, Scored]) -> list[dict[str, Any]]:
    """Return the rows of ``ranking.parquet``."""
    return [
        {
            "source": name,
            "depth": one.depth,
            "score": one.score,
            **figures(one.spread),
            "seconds": one.seconds,
            "num_examples": found.num_examples,
        }
        for name, found in scored.items()
        for one in found.scores
    ]


def ranking_of(scored: dict[str, Scored], sources: dict[str, Source], num_train: int) -> dict[str, Any]:
    ranking = ranked([contender(sources[name], found) for name, found in scored.items()])
    return {
        "order": [one.name for one in ranking.sources],
        "dropped": [one.name for one in ranking.sources if one.is_dropped],
        "scores": list(ranking.scores),
        "sources": [_source_row(one, sources[one.name], scored[one.name]) for one in ranking.sources],
        "num_examples": max(found.num_examples for found in scored.values()),
        "num_train": num_train,
    }


def contender(source: Source, found: Scored) -> Contender:
    """Return a source with its scores, to be ranked."""
    sizes = found.num_classes, found.num_examples, found.num_features
    return Contender(source.name, found.scores, *sizes, static_ranks(source))


def static_ranks(source: Source) -> dict[str, float | None]:
    """Return figures that rank a source without a look at the target, higher is better; None where unknown."""
    accuracy = None if source.source_error is None else 1 - source.source_error
    return {"source_accuracy": accuracy, "num_parameters": float(_num_parameters(source.arch))}


def _num_parameters(arch: str) -> int:
    backbone = skeleton(arch)
    return sum(p.numel() for name, p in backbone.named_parameters() if backbone.stage_of(name) != "head")


def _source_row(one: Ranked, source: Source, found: Scored) -> dict[str, Any]:
    return {
        "source": one.name,
        "mean_rank": one.mean_rank,
        "weight": one.weight,
        "freeze_depth": one.freeze_depth,
        "is_dropped": one.is_dropped,
        "why": one.why,
        **static_ranks(source),
        "distances": _distances(found.distances) if found.distances else None,
        "seconds": found.seconds,
    }


def _distances(found: Distances) -> dict[str, Any]:
    return {
        "frechet": figures(found.frechet),
        "proxy_a": figures(found.proxy_a),
        "num_source": found.num_source,
        "num_target": found.num_target,
    }


def figures(found: Spread) -> dict[str, float | None]:
    """Return a value and the ends of its interval; None where it has none."""
    ends = {"low": found.low, "high": found.high}
    return {"value": found.value, **{name: end if math.isfinite(end) else None for name, end in ends.items()}}
