"""A dry run: everything checked and planned, then the whole path on a tiny sample."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from translearn.cluster.growth import await_nodes
from translearn.cluster.nodes_storage import check_shared
from translearn.cluster.resources import plan_resources
from translearn.cluster.start.cuda import check_cuda
from translearn.cluster.tracking.console import say
from translearn.config import IngestSpec, SourceSpec, StudySpec
from translearn.storage.folder import Folder
from translearn.study import directory
from translearn.study.datasets.changes import at_hand
from translearn.study.opening import Study
from translearn.study.planning.estimate import plan_lines
from translearn.study.planning.look import Size
from translearn.study.planning.plan import check_study
from translearn.study.sources.limits import kept_sources

_IMAGES = 24  # of a split, where its classes are fewer


def dry_run(spec: StudySpec, work: Callable[[Study], Any], known: Mapping[str, Size] | None = None) -> None:
    """Check a study, show its plan, and do ``work`` on a tiny sample of it.

    The sample lies in the study's storage, because on a cluster no other place is known that all nodes reach.
    ``known``: as in ``check_study``.
    """
    sizes = check_study(spec, known)
    await_nodes(spec.cluster)
    resources = plan_resources(spec.cluster)
    check_cuda(resources)
    check_shared(directory.nearest(spec.storage))
    say(directory.dump_spec(spec))
    num_classes, sample = sizes["target"].num_classes, tiny(spec, sizes)
    root = Folder.open(sample.storage)
    try:
        folder = directory.open_study(sample, "dry run")
        kept, left_out = kept_sources(sample, folder, num_classes, resources)
        names = {source.name for source in kept.sources}
        planned = spec.model_copy(update={"sources": tuple(one for one in spec.sources if one.name in names)})
        for line in filter(None, [left_out, *plan_lines(planned, sizes, resources)]):
            say(line)
        say(f"\nthe same on a tiny sample in {root.uri}, which is deleted afterwards:")
        work(Study(kept, folder, resources, left_out=left_out))
    finally:
        root.remove()
    say("dry run: all steps work; its figures mean nothing, and nothing of it was kept.")


def tiny(spec: StudySpec, sizes: dict[str, Size]) -> StudySpec:
    """Return the study on a few images, with few trials and one epoch, under a name that no study has."""
    data = at_hand(spec, "target", spec.target.data)
    target = spec.target.model_copy(update={"data": data, "ingest": _few(spec.target.ingest, sizes["target"])})
    name = f"{spec.name}-dry-run-{uuid.uuid4().hex[:8]}"
    trials = len(spec.sources) + len(spec.archs)
    return spec.model_copy(
        update={
            "name": name,
            "time_budget_s": None,
            "storage": directory.nearest(spec.storage).address(name),  # its own: studies leave more there
            "target": target,
            "sources": tuple(_tiny_source(spec, source, sizes) for source in spec.sources),
            "search": spec.search.model_copy(update={"trials": trials, "epochs": 1, "grace_epochs": 1}),
            "refit": spec.refit.model_copy(
                update={"candidates": 1, "seeds": 1, "epochs": 1, "baseline_cap": 1, "label_seeds": 1}
            ),
        }
    )


def _tiny_source(spec: StudySpec, source: SourceSpec, sizes: dict[str, Size]) -> SourceSpec:
    if source.pretrain is None:
        return source.model_copy(update={"data": None})  # all of it would be looked at
    ingest = _few(source.pretrain.ingest, sizes[source.name])
    changed = {"data": at_hand(spec, source.name, source.pretrain.data), "epochs": 1, "ingest": ingest}
    return source.model_copy(update={"pretrain": source.pretrain.model_copy(update=changed)})


def _few(ingest: IngestSpec, size: Size) -> IngestSpec:
    per_class = max(1, _IMAGES // size.num_classes)
    return ingest.model_copy(update={"limit_per_class": per_class, "max_bad_fraction": 1.0})
