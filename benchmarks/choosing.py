"""What the ranking and past studies buy: trials and seconds until a search is near the best of the whole grid.

Small targets (scanned and printed digits, textures; ResNet-18 at 32 px) and sources that were pre-trained here in
moments: one of printed digits, one of textures, one of labels that mean nothing. Each source, freeze depth and learning
rate is trained once a target and seed, whole, in one thread; every search is then simulated on these curves, two
trials at once, with many search seeds. Tables are kept under TRANSLEARN_BENCHMARKS (default: translearn-benchmarks in
the user's cache). ``--setup`` makes them all, and goes on where it was broken off; figures are of the tables that are
there, and ``tables`` says how many. ``--quick`` makes two small ones of its own, of trials of 2 epochs.

Searches: ``random`` and ``optuna`` (TPE) train every trial whole; ``asha`` is random search under Tune's ASHA; ``ours``
is the search of a study (first configurations of the ranking, Optuna, ASHA), ``no_prior`` that with ``prior: off``,
``warm`` ours with ``warm_start``, and ``warm_no_prior`` both. Past studies are searches without prior on the other
targets, with the same sources. ``fits``: the study's default learning rate is about the best one; ``tenth``: it is a
tenth of that.

A search is near where a trial that it trained whole has a validation error within 0.01 of the grid's lowest. ``trials``
and ``seconds`` are expected costs until then, of a search that begins anew with another seed where it ends in vain:
costs of all searches over the number of those that came near (Hansen et al., arXiv 1603.08785, section 4.1); where none
did, half of one is taken, so that they are rather too low. Trials are epochs over those of a whole one; the ranking's
seconds are counted in both. ``regret`` is the lowest error of a whole search minus the grid's. Figures are means over
targets (geometric for costs; a target's data seeds are averaged first), with 95 % t intervals over targets.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
from choosing_figures import TargetCosts, differences, over_targets, ratios
from choosing_simulation import Epoch, Found, Known, followed, known_of, ours, past_of, past_study, plain, tried
from choosing_tasks import (
    EPOCHS,
    QUICK_EPOCHS,
    RATES,
    SOURCES,
    TARGETS,
    Table,
    Target,
    is_kept,
    kept_table,
    obtain_sources,
)

from translearn.config import StudySpec, parse_spec
from translearn.models.sources import Source
from translearn.ranking.prior import NOTHING
from translearn.training.precision import prepare_process

NEAR, TRIALS, SEARCHES, SEEDS = 0.01, 24, 20, (0, 1)
ALL = tuple((target, seed) for seed in SEEDS for target in TARGETS)
#: Searches that know nothing before they begin: sampler and scheduler.
PLAIN = {"random": ("random", "none"), "optuna": ("optuna", "none"), "asha": ("random", "asha")}
#: Those of a study: whether it uses the ranking, and whether past studies.
OURS = {"no_prior": (False, False), "ours": (True, False), "warm": (True, True), "warm_no_prior": (False, True)}
_WARM = [("warm", "ours"), ("warm_no_prior", "no_prior")]
PAIRS = {
    "fits": [*((one, other) for one in ("ours", "no_prior") for other in PLAIN), ("ours", "no_prior"), *_WARM],
    "tenth": [("ours", "no_prior"), *_WARM, ("warm", "no_prior")],
}


@dataclass(frozen=True)
class Setting:
    """A target with its images drawn, its table, and its ranking."""

    target: Target
    seed: int
    table: Table
    known: Known

    @property
    def ends(self) -> dict[Any, float]:
        """The last validation error of each trial that did not diverge."""
        return {cell: curve[-1][0] for cell, curve in self.table.items() if len(curve) == self.epochs}

    @property
    def epochs(self) -> int:
        """The length of a whole trial."""
        return max(len(curve) for curve in self.table.values())


def setup() -> None:
    """Train every grid, a process of one thread a core."""
    obtain_sources()
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_keep, ALL))


def _keep(drawn: tuple[Target, int]) -> None:
    prepare_process(1)
    kept_table(*drawn, obtain_sources())


def measure(quick: bool) -> dict[str, Any]:
    """Costs of each search, their ratios in pairs, and what the targets are like."""
    prepare_process(1)
    epochs, searches = (QUICK_EPOCHS, 2) if quick else (EPOCHS, SEARCHES)
    which = [(target, 0) for target in TARGETS[1:3]] if quick else kept()
    sources = obtain_sources()
    settings = [
        Setting(*one, kept_table(*one, sources, epochs), known_of(*one, sources, study(one[1], epochs)))
        for one in which
    ]
    return {"tables": f"{len(which)} of {len(ALL)}", **figures(settings, sources, searches, epochs)}


def kept() -> list[tuple[Target, int]]:
    """Return the targets and seeds whose tables are there."""
    found = [one for one in ALL if is_kept(*one)]
    if not found:
        raise SystemExit("choosing: no table is whole. Make them: python benchmarks/choosing.py --setup")
    return found


def figures(
    settings: Sequence[Setting], sources: dict[str, Source], searches: int, epochs: int = EPOCHS
) -> dict[str, Any]:
    """Return all figures over some targets; past studies are those of the others among them."""
    found: dict[str, Any] = {"trials": TRIALS, "searches": searches, "epochs": epochs}
    found["targets"] = {f"{one.target.name}, seed {one.seed}": _told(one) for one in settings}
    for default, pairs in PAIRS.items():
        make = functools.partial(study, epochs=epochs, default=default)
        past = {one.target: _past(settings, one.target, sources, make) for one in settings}
        costs = {
            (one.target.name, one.seed): _costs(one, sources, past[one.target], searches, make) for one in settings
        }
        found[default] = {
            "searches": {name: over_targets(costs, name) for name in (*PLAIN, *OURS)},
            "ratios": {f"{one}/{other}": ratios(costs, one, other) for one, other in pairs},
            "regret": {f"{one}-{other}": differences(costs, one, other) for one, other in pairs},
            "costs": {f"{name}, seed {seed}": of_target for (name, seed), of_target in costs.items()},
        }
    return found


def study(seed: int, epochs: int = EPOCHS, default: str = "fits", **search: Any) -> StudySpec:
    """Return a study over the benchmark's sources; their weights are not looked at.

    All curves are those of SGD; ``tenth`` names AdamW, which has a tenth of its default learning rate.
    """
    return parse_spec(
        {
            "name": "this",
            "seed": seed,
            "target": {"data": "sklearn:digits", "image_size": 32},
            "sources": [{"name": name, "arch": "resnet18", "weights": "DEFAULT"} for name in SOURCES],
            "search": {"trials": TRIALS, "epochs": epochs, "lr": [min(RATES), max(RATES)], **search},
            "train": {"optimizer": "sgd" if default == "fits" else "adamw"},
        }
    )


def _past(
    settings: Sequence[Setting], target: Target, sources: dict[str, Source], make: Callable[..., StudySpec]
) -> list[dict[str, Any]]:
    others = [one for one in settings if one.target != target]
    return [row for one in others for row in past_study(one.target, one.table, one.known, make(one.seed), sources)]


def _costs(
    one: Setting,
    sources: dict[str, Source],
    past: list[dict[str, Any]],
    searches: int,
    make: Callable[..., StudySpec],
) -> TargetCosts:
    """Return the costs of every search on a target, over many search seeds."""
    best, costs = min(one.ends.values()), {}
    for name in (*PLAIN, *OURS):
        runs = [
            followed(_search(name, one, sources, past, make, 1000 + seed), one.epochs, best + NEAR)
            for seed in range(searches)
        ]
        costs[name] = _expected(runs, one, best, one.known.seconds if OURS.get(name, (False,))[0] else 0.0)
    return costs


def _search(
    name: str,
    one: Setting,
    sources: dict[str, Source],
    past: list[dict[str, Any]],
    make: Callable[..., StudySpec],
    seed: int,
) -> Iterator[Epoch]:
    if name in PLAIN:
        sampler, scheduler = PLAIN[name]
        return plain(make(seed, sampler=sampler, scheduler=scheduler), sources, one.table)
    (uses_prior, uses_past), spec = OURS[name], make(seed)
    prior, scores, kept = None, dict[str, float](), sources
    if uses_prior:
        prior, scores, kept = one.known.prior, dict(one.known.scores), tried(sources, one.known.prior)
    learnt = past_of(spec, kept, one.target, scores, past) if uses_past else NOTHING
    return ours(spec, kept, one.table, prior, learnt)


def _expected(runs: list[Found], one: Setting, best: float, ranked_s: float) -> dict[str, float]:
    """Return the expected costs of a search until it is near the best."""
    num = max(sum(run.is_near for run in runs), 0.5)
    trial_s = one.epochs * float(np.mean([seconds for curve in one.table.values() for _, seconds in curve]))
    return {
        "trials": sum(run.trials for run in runs) / num + ranked_s / trial_s,
        "seconds": sum(run.seconds for run in runs) / num + ranked_s,
        "near": sum(run.is_near for run in runs) / len(runs),
        "regret": float(np.mean([run.error for run in runs])) - best,
    }


def _told(one: Setting) -> dict[str, Any]:
    """Return what a target is like: its best trial, how many come near it, and how its sources were ranked."""
    ends = one.ends
    best = min(ends, key=lambda cell: ends[cell])
    return {
        "best": best,
        "best_error": ends[best],
        "best_of": {
            name: min(error for cell, error in ends.items() if cell[0] == name)
            for name in dict.fromkeys(name for name, _, _ in ends)
        },
        "near_cells": sum(error <= ends[best] + NEAR for error in ends.values()) / len(one.table),
        "order": one.known.prior.order,
        "freeze_depths": dict(one.known.prior.freeze_depths),
        "ranking_s": one.known.seconds,
        "grid_s": sum(seconds for curve in one.table.values() for _, seconds in curve),
    }


if __name__ == "__main__":
    common.run("choosing", measure, setup)
