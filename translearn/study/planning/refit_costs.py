"""About how long refits take, from the epochs that the search has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from translearn.cluster.resources import Resources
from translearn.cluster.training.layout import Layout, lay_out
from translearn.config import StudySpec
from translearn.models.backbones.stages import freeze_depths
from translearn.models.sources import Source
from translearn.ranking.first_configurations import probe_rate
from translearn.study.refits.candidates import Candidate, Trial, candidates
from translearn.study.refits.convergence import lengths
from translearn.study.refits.label_runs import best_pair


@dataclass(frozen=True, eq=False)
class RefitCosts:
    """What the refits of a search cost; every estimate is in seconds.

    Attributes:
        trials: Rows of ``trials.parquet``.
        epoch_s: By trial, the median of its epochs; not empty.
        step_s: Of a step on one worker.
        sources: Every source by name.
        resources: The layout.
    """

    trials: Sequence[Trial]
    epoch_s: Mapping[str, float]
    step_s: float
    sources: dict[str, Source]
    resources: Resources

    def all_s(self, spec: StudySpec) -> float:
        """Return how long the refits, the further runs and the longer baseline take at most."""
        found = self._candidates(spec)
        each = [self._run_s(one.trial, spec) for one in found for _ in range(spec.refit.seeds)]
        each += self._further_s(spec, found)
        layout = self._layout(len(found) * spec.refit.seeds)
        side_by_side = max(sum(each) / layout.at_once, max(each)) / layout.workers
        scratch = [self._run_s(one.trial, spec) for one in best_pair(found).values()][-1]
        return side_by_side + longer_s(lengths(spec.refit.baseline_cap), scratch, spec.refit.seeds, layout)

    def layout_of(self, spec: StudySpec) -> Layout:
        """Return the layout of the refits."""
        return self._layout(len(self._candidates(spec)) * spec.refit.seeds)

    def _candidates(self, spec: StudySpec) -> list[Candidate]:
        return candidates(list(self.trials), self.sources, spec.refit.candidates, probe_rate(spec, spec.default_lr))

    def _layout(self, num_runs: int) -> Layout:
        return lay_out(self.resources, num_runs, lambda: self.step_s)

    def _further_s(self, spec: StudySpec, found: list[Candidate]) -> list[float]:
        """Return the runs on parts of the labels, which have as many steps, and at each freeze depth."""
        refit, pair = spec.refit, best_pair(found)
        num = len(set(refit.label_fractions)) * refit.label_seeds if len(pair) == 2 else 0
        of_labels = [self._run_s(one.trial, spec) for one in pair.values() for _ in range(num)]
        best = next(iter(pair.values())).trial
        num_depths = len(freeze_depths(spec.search, best["arch"])) if refit.forgetting else 0
        return of_labels + [self._run_s(best, spec)] * num_depths

    def _run_s(self, trial: Trial, spec: StudySpec) -> float:
        return self.epoch_s.get(trial["trial_id"], max(self.epoch_s.values())) * spec.refit.epochs


def longer_s(times: Sequence[int], run_s: float, seeds: int, layout: Layout) -> float:
    """Return how long runs of several lengths take, one length after the other.

    Args:
        times: The lengths, in runs of ``run_s``.
        run_s: Seconds of a run of length 1.
        seeds: Runs of each length.
        layout: How they run.
    """
    return sum(times) * run_s * ceil(seeds / layout.at_once) / layout.workers


def epoch_seconds(curves: Sequence[Mapping[str, Any]], stage: str) -> dict[str, float]:
    """Return by run of a stage the median of its epochs' seconds, from rows of ``curves.parquet``."""
    found: dict[str, list[float]] = {}
    for row in curves:
        if row["stage"] == stage and row["seconds"] is not None:
            found.setdefault(row["run"], []).append(row["seconds"])
    return {run: float(np.median(seconds)) for run, seconds in found.items()}
