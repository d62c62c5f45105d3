"""The plan of a study that has a time: what each part is expected to take, and what is left out for it."""

from __future__ import annotations

from dataclasses import replace

from translearn.config import StudySpec
from translearn.config.duration import as_option, in_words
from translearn.errors import SpecError, fault
from translearn.study.planning.budget import with_budget
from translearn.study.planning.costs import Costs
from translearn.study.planning.reductions import fitted, left_out
from translearn.words import plural

#: What steps take beside their work, to start Ray and workers and to import torch: as measured in a study of 40 digits
#: on 2 cores that others used too (load 5).
START_S, SEARCH_S, REFIT_S, EVALUATE_S = 35.0, 17.0, 34.0, 14.0
#: Trials and refits side by side are slower than the one worker that was measured.
_MARGIN = 1.3
#: To ingest, decode and check a JPEG of 500 x 375 pixels: 3.9, 2.8 and 2.1 ms of one CPU (AMD EPYC).
_IMAGE_S = 0.009


def planned(given: StudySpec, costs: Costs) -> StudySpec:
    """Return a study with its budget of steps, made to fit where it has a time.

    Raises:
        SpecError: The least of it takes longer; says how long.
    """
    num_train = costs.sizes["target"].num_train
    spec = with_budget(given, num_train)
    if given.time_budget_s is None:
        return spec
    before = before_s(spec, costs)
    found = fitted(spec, num_train, lambda one: before + rest_s(one, costs), given.time_budget_s)
    if before + rest_s(found, costs) > given.time_budget_s:
        raise SpecError(_too_little(given.time_budget_s, found, costs))
    return found


def with_overhead(costs: Costs, used_s: float) -> Costs:
    """Return costs on a machine as slow or busy as it was up to now.

    Args:
        costs: As measured.
        used_s: Seconds from the command's start until they were measured.
    """
    return replace(costs, overhead=max(1.0, used_s / START_S))


def before_s(spec: StudySpec, costs: Costs) -> float:
    """Return about how long a study takes until its first trial."""
    images = sum(size.num_train + size.num_val + size.num_test for size in costs.sizes.values())
    read = images * _IMAGE_S / sum(node.get("CPU", 1.0) for node in costs.resources.nodes)
    starts = START_S + (REFIT_S if any(one.pretrain for one in spec.sources) else 0.0)
    pretrain = costs.pretrain_s(spec) * _MARGIN
    return costs.overhead * starts + read + pretrain + costs.ranking_s(spec) * _MARGIN


def rest_s(spec: StudySpec, costs: Costs) -> float:
    """Return about how long a study takes from its first trial on."""
    return search_s(spec, costs) + after_search_s(spec, costs)


def search_s(spec: StudySpec, costs: Costs) -> float:
    """Return about how long the trials take."""
    return costs.overhead * SEARCH_S + costs.likely_search_s(spec) * _MARGIN


def after_search_s(spec: StudySpec, costs: Costs) -> float:
    """Return about how long all takes that follows the trials."""
    refits = costs.overhead * REFIT_S + (costs.refits_s(spec) + costs.longer_s(spec)) * _MARGIN
    return refits + evaluation_s(spec, costs)


def evaluation_s(spec: StudySpec, costs: Costs) -> float:
    """Return about how long evaluation and report take."""
    return costs.overhead * EVALUATE_S + costs.evaluation_s(spec) * _MARGIN


def time_lines(given: StudySpec, spec: StudySpec, costs: Costs) -> list[str]:
    """Return the lines of the plan on a study's time; none where it has none.

    Args:
        given: As the file says it.
        spec: As ``planned`` made it.
        costs: What it costs.
    """
    if given.time_budget_s is None:
        return []
    parts = {
        "before the trials": before_s(spec, costs),
        "trials": search_s(spec, costs),
        "refits": after_search_s(spec, costs) - evaluation_s(spec, costs),
        "evaluation": evaluation_s(spec, costs),
    }
    each = ", ".join(f"{name} {in_words(seconds)}" for name, seconds in parts.items())
    lacking = left_out(with_budget(given, costs.sizes["target"].num_train), spec)
    return [
        f"time: about {in_words(sum(parts.values()))} of {in_words(given.time_budget_s)}: {each}",
        f"left out for it: {'; '.join(lacking) or 'nothing'}",
    ]


def _too_little(time_s: float, found: StudySpec, costs: Costs) -> str:
    needed = before_s(found, costs) + rest_s(found, costs)
    trials = f"{plural(found.search.trials, 'trial')} of {plural(found.search.epochs, 'epoch')}"
    refits = f"{plural(found.refit.seeds, 'refit')} a candidate of {plural(found.refit.epochs, 'epoch')}"
    rule = f"must be at least {needed:.0f}, about what the least of this study takes here ({trials}, {refits})"
    remedy = f"Give it --time {as_option(needed)}, or lower target.image_size or target.train_per_class."
    return fault("time_budget_s", rule, f"{time_s:g}", remedy)
