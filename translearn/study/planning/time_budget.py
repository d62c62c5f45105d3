"""The decisions that a study makes by its time while it runs; each is kept for the commands that go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from translearn.cluster.resources import with_nodes_of_now
from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.config.duration import in_words
from translearn.evaluation.predictions import SCRATCH
from translearn.models.model_info import MARKER
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.directory import CURVES, TRIALS
from translearn.study.planning.budget import with_budget
from translearn.study.planning.clock import Clock
from translearn.study.planning.costs import Costs
from translearn.study.planning.look import places, size_of
from translearn.study.planning.reductions import changed, fitted, left_out
from translearn.study.planning.refit_costs import RefitCosts, epoch_seconds, longer_s
from translearn.study.planning.time_plan import REFIT_S, SEARCH_S, after_search_s, evaluation_s, rest_s
from translearn.study.refits.candidates import Candidate, Trial
from translearn.study.refits.convergence import chosen_of, lengths
from translearn.study.refits.refit import REFIT, run_name

TIME_PLAN = "time_plan.json"
_OF_REFITS = ("candidates", "seeds", "epochs", "label_fractions", "forgetting", "baseline_cap")


@dataclass(frozen=True, eq=False)
class TimeBudget:
    """The time of a study at work.

    Attributes:
        given: The study as its file says it.
        folder: Its directory.
        clock: What of the time is used.
        costs: As measured before it began; None where the trials are planned already.
    """

    given: StudySpec
    folder: Folder
    clock: Clock
    costs: Costs | None

    @property
    def left_s(self) -> float:
        """The seconds that are left; negative where more are used than there were."""
        assert self.given.time_budget_s
        return self.given.time_budget_s - self.clock.used_s

    def for_search(self, context: StudyContext) -> StudyContext:
        """Return the context with the trials that fit, planned once a study."""
        plan = read_plan(self.folder)
        if "search" not in plan:
            assert self.costs
            costs = self.costs
            spec = fitted(context.spec, len(context.splits.train), lambda one: rest_s(one, costs), self.left_s)
            first_s = len(context.sources) * costs.epoch_s / costs.resources.concurrent_trials
            plan["search"] = {"trials": spec.search.trials, "epochs": spec.search.epochs}
            plan |= {"later_s": after_search_s(spec, costs), "least_search_s": costs.overhead * SEARCH_S + first_s}
            plan["overhead"] = costs.overhead
            self.folder.write_json(TIME_PLAN, plan)
        return self._told(replace(context, spec=changed(context.spec, "search", **plan["search"])))

    def search_s(self) -> float:
        """Return the seconds that the trials may go on: what refits and evaluation do not need.

        Each source has time for its first epoch at least, also where all of the time is used.
        """
        plan = read_plan(self.folder)
        return float(max(self.left_s - plan["later_s"], plan["least_search_s"]))

    def for_refits(self, context: StudyContext, trials: Sequence[Trial]) -> StudyContext:
        """Return the context with the refits that fit, by the epochs that the search has measured."""
        plan = read_plan(self.folder)
        if "refit" not in plan:
            costs, whole = self._refit_costs(context, trials), self._whole_costs(context)
            spec = fitted(
                context.spec,
                len(context.splits.train),
                lambda one: whole.overhead * REFIT_S + costs.all_s(one) + evaluation_s(one, whole),
                self.left_s,
                is_searched=True,
            )
            plan["refit"] = {field: getattr(spec.refit, field) for field in _OF_REFITS}
            self.folder.write_json(TIME_PLAN, plan)
            say(f"time: {in_words(max(0, self.left_s))} left for refits and evaluation")
        update = {**plan["refit"], "label_fractions": tuple(plan["refit"]["label_fractions"])}
        spec = changed(changed(context.spec, "search", trials=len(trials)), "refit", **update)
        return self._told(replace(context, spec=spec))

    def for_longer(self, context: StudyContext, found: list[Candidate]) -> StudyContext:
        """Return the context with the lengths of the longer baseline that still fit, now that the refits are done."""
        spec, folder = context.spec, context.folder
        scratch = chosen_of(spec, folder, found).get(SCRATCH)
        plan, seconds = read_plan(folder), epoch_seconds(folder.read_table(CURVES).to_pylist(), REFIT)
        if scratch is None or run_name(scratch, 0) not in seconds:
            return context
        run_s = seconds[run_name(scratch, 0)] * spec.refit.epochs
        layout = self._refit_costs(context, folder.read_table(TRIALS).to_pylist()).layout_of(spec)
        left_s = self.left_s - evaluation_s(spec, self._whole_costs(context))
        tried = lengths(spec.refit.baseline_cap)
        todo = [times for times in tried if not _is_done(folder, scratch, times, spec.refit.seeds)]
        while todo and longer_s(todo, run_s, spec.refit.seeds, layout) > left_s:
            tried.remove(todo.pop())
        plan["refit"]["baseline_cap"] = max([1, *tried])
        folder.write_json(TIME_PLAN, plan)
        return self._told(replace(context, spec=changed(spec, "refit", baseline_cap=plan["refit"]["baseline_cap"])))

    def _told(self, context: StudyContext) -> StudyContext:
        """Return the context with what was left out up to now."""
        lacking = left_out(with_budget(self.given, len(context.splits.train)), context.spec)
        return replace(context, lacking=tuple(lacking))

    def _refit_costs(self, context: StudyContext, trials: Sequence[Trial]) -> RefitCosts:
        seconds = epoch_seconds(context.folder.read_table(CURVES).to_pylist(), "search")
        step_s = self._image_s(context) * context.spec.train.batch_size
        return RefitCosts(trials, seconds, step_s, context.sources, with_nodes_of_now(context.resources))

    def _whole_costs(self, context: StudyContext) -> Costs:
        size = size_of(*places(self.given)["target"])
        image_s, overhead = self._image_s(context), read_plan(self.folder)["overhead"]
        return Costs(dict.fromkeys(self.given.archs, image_s), {"target": size}, context.resources, overhead)

    def _image_s(self, context: StudyContext) -> float:
        """Return the seconds an image of the search's slowest trial."""
        rates = [
            row["images_per_s"] for row in context.folder.read_table(CURVES).to_pylist() if row["stage"] == "search"
        ]
        return float(1 / np.min(rates))


def read_plan(folder: Folder) -> dict[str, Any]:
    """Return what a study has decided by its time; empty where nothing is yet."""
    return dict(folder.read_json(TIME_PLAN)) if folder.exists(TIME_PLAN) else {}


def _is_done(folder: Folder, scratch: Candidate, times: int, seeds: int) -> bool:
    return all((folder / REFIT / f"{scratch.name}-x{times}-{seed}").exists(MARKER) for seed in range(seeds))
