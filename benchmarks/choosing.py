"""What the ranking and past studies buy: trials and seconds until a search is near the best of the whole grid.

Small targets (scanned and printed digits, textures; ResNet-18 at 32 px) and sources that were pre-trained here in
moments: one of printed digits, one of textures, one of labels that mean nothing. Each source, freeze depth and learning
rate is trained once a target and seed, whole, in one thread; every searcher is then replayed on these curves with many
search seeds. Tables are kept under TRANSLEARN_BENCHMARKS (default: translearn-benchmarks in the user's cache).
``--setup`` makes them all, and goes on where it was broken off; what is measured is measured on those that are there,
and ``tables`` says which of how many. ``--quick`` makes two small ones of its own, of trials of 2 epochs.

Searchers: ``random`` and ``optuna`` (TPE) train every trial whole; ``asha`` stops random trials by the rule of Ray's
scheduler; ``race`` is our search with ``prior: off``, ``prior`` the default one, ``warm`` that with ``warm_start``, and
``warm_alone`` without the prior. Past studies are races on the other targets, with the same sources. ``fits``: the
study's default learning rate is about the best one; ``tenth``: it is a tenth of that.

A search is near where a trial that it trained whole has a validation error within 0.01 of the grid's lowest. ``trials``
and ``seconds`` are expected costs until then, of a search that begins anew with another seed where it ends in vain:
costs of all searches over the number of those that came near (Hansen et al., arXiv 1603.08785, section 4.1); where none
did, half of one is taken, so that they are rather too low. Trials are epochs over those of a whole one; the ranking's
seconds are counted in both. ``regret`` is the lowest error of a whole search minus the grid's. Figures are means over
targets (geometric for costs; a target's data seeds are averaged first), with 95 % t intervals over targets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
from choosing_figures import PLAIN, TargetCosts, differences, over_targets, ratios
from choosing_past import Ranking, past_of, past_study, ranking_of
from choosing_replay import Epoch, Found, asha, followed, optuna_alone, race, race_alone, random_search
from choosing_table import EPOCHS, QUICK_EPOCHS, RATES, Table, is_kept, kept_table, with_scratch
from choosing_tasks import SOURCES, TARGETS, Target, obtain_sources

from translearn.config import SCRATCH, StudySpec, parse_spec
from translearn.models.sources import Source
from translearn.proposals import OptunaProposals
from translearn.ranking.prior import NOTHING
from translearn.training.precision import prepare_process

NEAR, TRIALS, SEARCHES, SEEDS = 0.01, 24, 20, (0, 1)
ALL = tuple((target, seed) for seed in SEEDS for target in TARGETS)
PAIRS = {
    "fits": [
        *(("race", one) for one in PLAIN[:3]),
        *(("prior", one) for one in PLAIN),
        ("warm", "prior"),
        ("warm_alone", "race"),
    ],
    "tenth": [("prior", "race"), ("warm", "prior"), ("warm_alone", "race"), ("warm", "race")],
}
#: By searcher: whether it uses the prior, and whether past studies.
INFORMED = {"prior": (True, False), "warm": (True, True), "warm_alone": (False, True)}


@dataclass(frozen=True)
class Setting:
    """A target with its images drawn, and all that is known of it before the search."""

    target: Target
    seed: int
    table: Table
    ranking: Ranking


def setup() -> None:
    """Trains every grid."""
    prepare_process(1)
    sources = with_scratch(obtain_sources())
    for target, seed in ALL:
        kept_table(target, seed, sources)


def measure(quick: bool) -> dict[str, Any]:
    """Costs of each searcher, their ratios in pairs, and what the targets are like."""
    prepare_process(1)
    epochs, searches = (QUICK_EPOCHS, 3) if quick else (EPOCHS, SEARCHES)
    which = [(target, 0) for target in TARGETS[:2]] if quick else kept(ALL)
    sources = with_scratch(obtain_sources())
    settings = [
        Setting(
            target,
            seed,
            kept_table(target, seed, sources, epochs),
            ranking_of(target, seed, sources, study(seed, epochs)),
        )
        for target, seed in which
    ]
    return {"tables": f"{len(which)} of {len(ALL)}", **figures(settings, sources, searches, epochs)}


def kept(which: Iterable[tuple[Target, int]]) -> list[tuple[Target, int]]:
    """The targets and seeds whose tables are whole: those of every source are there."""
    found = [(target, seed) for target, seed in which if is_kept(target, seed, (*SOURCES, SCRATCH))]
    if not found:
        raise SystemExit("choosing: no table is whole. Make them: python benchmarks/choosing.py --setup")
    return found


def figures(
    settings: Sequence[Setting], sources: dict[str, Source], searches: int, epochs: int = EPOCHS
) -> dict[str, Any]:
    """All figures over some targets; past studies are those of the others among them."""
    found: dict[str, Any] = {"trials": TRIALS, "searches": searches, "epochs": epochs}
    found["targets"] = {f"{one.target.name}, seed {one.seed}": _told(one) for one in settings}
    for default, pairs in PAIRS.items():
        make = functools.partial(study, epochs=epochs, default=default)
        costs = {(one.target.name, one.seed): _costs(one, settings, sources, searches, make) for one in settings}
        found[default] = {
            "searchers": {name: over_targets(costs, name) for name in next(iter(costs.values()))},
            "ratios": {f"{one}/{other}": ratios(costs, one, other) for one, other in pairs},
            "regret": {f"{one}-{other}": differences(costs, one, other) for one, other in pairs},
            "costs": {f"{name}, seed {seed}": of_target for (name, seed), of_target in costs.items()},
        }
    return found


def study(seed: int, epochs: int = EPOCHS, default: str = "fits") -> StudySpec:
    """A study over the benchmark's sources; their weights are not looked at.

    All curves are those of SGD; ``tenth`` names AdamW, which has a tenth of its default learning rate.
    """
    return parse_spec(
        {
            "name": "this",
            "seed": seed,
            "target": {"data": "sklearn:digits", "image_size": 32},
            "sources": [{"name": name, "arch": "resnet18", "weights": "DEFAULT"} for name in SOURCES],
            "search": {"trials": TRIALS, "epochs": epochs, "lr": [min(RATES), max(RATES)]},
            "train": {"optimizer": "sgd" if default == "fits" else "adamw"},
        }
    )


def _costs(
    one: Setting,
    settings: Sequence[Setting],
    sources: dict[str, Source],
    searches: int,
    make: Callable[[int], StudySpec],
) -> TargetCosts:
    """The costs of every searcher on a target, over many search seeds."""
    ends = [curve[-1][0] for curve in one.table.values() if len(curve) == _length(one.table)]
    past = [past_study(o.target, o.table, o.ranking, make(o.seed), sources) for o in settings if o.target != one.target]
    searchers: dict[str, Callable[[StudySpec], Iterator[Epoch]]] = {
        name: functools.partial(searcher, one.table, sources=sources)
        for name, searcher in zip(PLAIN, (random_search, optuna_alone, asha, race_alone), strict=True)
    }
    searchers |= {name: functools.partial(_informed, one, sources, past, *how) for name, how in INFORMED.items()}
    specs = [make(1000 + n) for n in range(searches)]
    return {
        name: _expected([followed(searcher, spec, min(ends) + NEAR) for spec in specs], name, one, min(ends))
        for name, searcher in searchers.items()
    }


def _informed(
    one: Setting,
    sources: dict[str, Source],
    past: list[list[dict[str, Any]]],
    uses_prior: bool,
    uses_past: bool,
    spec: StudySpec,
) -> Iterator[Epoch]:
    prior = one.ranking.prior if uses_prior else None
    scratch = [name for name, source in sources.items() if source.kind == "scratch"]
    kept = {name: sources[name] for name in (*prior.order, *scratch)} if prior else sources
    scores = one.ranking.scores if uses_prior else {}
    taught = past_of(spec, kept, one.target, scores, past) if uses_past else NOTHING
    return race(OptunaProposals(spec, kept, prior, taught), one.table, spec)


def _expected(runs: list[Found], name: str, one: Setting, best: float) -> dict[str, float]:
    """Expected costs of a searcher until it is near the best."""
    num = max(sum(run.is_near for run in runs), 0.5)
    ranked_s = one.ranking.seconds if INFORMED.get(name, (False,))[0] else 0.0
    trial_s = _length(one.table) * float(np.mean([seconds for curve in one.table.values() for _, _, seconds in curve]))
    return {
        "trials": sum(run.trials for run in runs) / num + ranked_s / trial_s,
        "seconds": sum(run.seconds for run in runs) / num + ranked_s,
        "near": sum(run.is_near for run in runs) / len(runs),
        "regret": float(np.mean([run.error for run in runs])) - best,
    }


def _told(one: Setting) -> dict[str, Any]:
    """What a target is like: its best trial, how many come near it, and how its sources were ranked."""
    ends = {cell: curve[-1][0] for cell, curve in one.table.items() if len(curve) == _length(one.table)}
    best = min(ends, key=lambda cell: ends[cell])
    sources = dict.fromkeys(source for source, _, _ in ends)
    return {
        "best": best,
        "best_error": ends[best],
        "best_of": {s: min(error for (name, _, _), error in ends.items() if name == s) for s in sources},
        "near_cells": sum(error <= ends[best] + NEAR for error in ends.values()) / len(one.table),
        "order": one.ranking.prior.order,
        "freeze_depths": dict(one.ranking.prior.freeze_depths),
        "ranking_s": one.ranking.seconds,
        "grid_s": sum(seconds for curve in one.table.values() for _, _, seconds in curve),
    }


def _length(table: Mapping[Any, list]) -> int:
    return max(len(curve) for curve in table.values())


if __name__ == "__main__":
    common.run("choosing", measure, setup)
