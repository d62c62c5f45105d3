"""The opening of a study: checked whole, alone in its directory, with its trackers and its time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from translearn.cluster.growth import await_nodes
from translearn.cluster.nodes_storage import check_shared
from translearn.cluster.resources import Resources, plan_resources
from translearn.cluster.start.cuda import check_cuda
from translearn.cluster.tracking.connections import tracking
from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.storage.folder import Folder
from translearn.study import directory
from translearn.study.datasets.changes import data_warnings
from translearn.study.lock.lock import only_driver
from translearn.study.planning.clock import counted
from translearn.study.planning.costs import Costs
from translearn.study.planning.estimate import measured_costs
from translearn.study.planning.look import Size
from translearn.study.planning.plan import check_study
from translearn.study.planning.time_budget import TimeBudget, read_plan
from translearn.study.planning.time_plan import planned, time_lines, with_overhead
from translearn.study.sources.limits import kept_sources
from translearn.study.unfinished.progress import told_when_interrupted


@dataclass(frozen=True)
class Study:
    """An open study.

    Attributes:
        spec: What it is a study of, without the sources that its limits leave out.
        folder: Its directory.
        resources: What it may use of the cluster.
        tuning: ``search_alg`` and ``scheduler`` of Tune in place of those of the spec.
        warnings: How its data changed since it was ingested.
        left_out: A line that names the sources that its limits leave out; empty without any.
        time: What it decides by its time; None where it has none.
    """

    spec: StudySpec
    folder: Folder
    resources: Resources
    tuning: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    left_out: str = ""
    time: TimeBudget | None = None


@contextmanager
def open_study(
    spec: StudySpec,
    command: str,
    tuning: Mapping[str, Any] | None = None,
    known: Mapping[str, Size] | None = None,
    began: float | None = None,
) -> Iterator[Study]:
    """Check a study whole, and open its directory, which no other command has as long as the block runs.

    Its trackers are connected as long.

    Args:
        spec: The study.
        command: What the user can repeat to get the study.
        tuning: As in ``Study``.
        known: As in ``check_study``.
        began: When the command began, by ``time.monotonic``; now when None.

    Raises:
        TranslearnError: Every fault; or another command is at work there.
    """
    began = time.monotonic() if began is None else began
    sizes = check_study(spec, known)
    await_nodes(spec.cluster)
    resources = plan_resources(spec.cluster)
    check_cuda(resources)
    check_shared(directory.nearest(spec.storage))
    num_classes = sizes["target"].num_classes
    with only_driver(Folder.open(spec.storage), spec.name):  # before anything is written there
        kept, left_out = kept_sources(spec, Folder.open(spec.storage) / spec.name, num_classes, resources)
        costs = _time_costs(kept, sizes, resources, began)
        changed, folder = tuple(data_warnings(spec)), directory.open_study(spec, command)
        study = Study(kept, folder, resources, tuning or {}, changed, left_out)
        for line in filter(None, [left_out, *(f"Warning: {line}" for line in changed)]):
            say(line)
        folder.sweep()
        started = folder.read_json(directory.PROVENANCE)["started"]
        with (
            folder.told_where_unwritable(),
            tracking(kept, folder.uri, started),
            told_when_interrupted(kept, folder),
            _timed(study, costs, began) as timed,
        ):
            yield timed


def _time_costs(spec: StudySpec, sizes: Mapping[str, Size], resources: Resources, began: float) -> Costs | None:
    """Return what a study costs, and print its plan; None where it has no time, or has planned by it already."""
    if spec.time_budget_s is None or read_plan(Folder.open(spec.storage) / spec.name):
        return None
    costs = with_overhead(measured_costs(spec, sizes, resources), time.monotonic() - began)
    for line in time_lines(spec, planned(spec, costs), costs):
        say(line)
    return costs


@contextmanager
def _timed(study: Study, costs: Costs | None, began: float) -> Iterator[Study]:
    """Yield the study with its time, which is counted as long as the block runs."""
    if study.spec.time_budget_s is None:
        yield study
        return
    with counted(study.folder, began) as clock:
        yield replace(study, time=TimeBudget(study.spec, study.folder, clock, costs))
