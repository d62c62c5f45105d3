"""The trials that are refitted, and the final choice for each role. Validation alone decides both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from translearn.errors import TranslearnError
from translearn.evaluation.predictions import PROBE, SCRATCH, TRANSFER
from translearn.models.backbones.stages import num_stages
from translearn.models.sources import Source
from translearn.study.tables import ranked_trials

Trial = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A trial to be refitted.

    Attributes:
        name: What the names of its refits begin with: its first role, and its rank there from 0.
        roles: For what it may be chosen.
        trial: Its row of ``trials.parquet``, and ``num_trials``: among how many it was found.
        times: Its refits have so many times the steps of the budget.
    """

    name: str
    roles: tuple[str, ...]
    trial: Trial
    times: int = 1


def candidates(trials: list[Trial], sources: dict[str, Source], num: int, probe_lr: float) -> list[Candidate]:
    """Return the best trials of each role: as many of transfer as of scratch, and the best linear probe.

    Scratch and the probe are those of the architectures of the best trials with transfer; without any, those of the
    best from scratch. A probe that is among the best with transfer is not listed twice; where the search has none, one
    of the best source is added.

    Args:
        trials: Rows of ``trials.parquet``.
        sources: Every source by name, scratch among them.
        num: How many of transfer, and of scratch for each architecture; fewer where the search has fewer.
        probe_lr: The learning rate of a linear probe that is added.

    Raises:
        TranslearnError: Every trial failed.
    """
    found = [row for row in trials if sources[row["source"]].kind != "scratch"]
    transfer = _best(found, num)
    of_scratch = [row for row in trials if sources[row["source"]].kind == "scratch"]
    archs = list(dict.fromkeys(row["arch"] for row in transfer or _best(of_scratch, num)))
    if not archs:
        remedy = "Raise search.trials, or lower the range of search.lr."
        raise TranslearnError(f"search: no trial gave a result, so there is nothing to refit. {remedy}")
    scratch = [row for arch in archs for row in _best(_of_arch(of_scratch, arch), num)]
    probes = [
        row
        for arch in archs
        for row in _best(filter(is_probe, _of_arch(found, arch)), 1)
        or [_added_probe(best, probe_lr) for best in _of_arch(transfer, arch)[:1]]
    ]
    roles: dict[str, tuple[str, ...]] = {row["trial_id"]: () for row in (*transfer, *scratch, *probes)}
    for role, best in ((TRANSFER, transfer), (SCRATCH, scratch), (PROBE, probes)):
        roles |= {row["trial_id"]: (*roles[row["trial_id"]], role) for row in best}
    rows = {row["trial_id"]: row for row in (*probes, *scratch, *transfer)}
    return _named([(of_trial, rows[trial_id]) for trial_id, of_trial in roles.items()])


def best_archs(trials: Iterable[Trial], num: int) -> list[str]:
    """Return the architectures of the best trials, so many of different configurations; the best one's first."""
    return list(dict.fromkeys(row["arch"] for row in _best(trials, num)))


def _added_probe(best: Trial, lr: float) -> Trial:
    """Return the linear probe of the best trial's source, which the search did not try."""
    own = {"trial_id": f"probe-{best['arch'].replace('/', '-')}", "freeze_depth": num_stages(best["arch"]), "lr": lr}
    return {**best, **own, "val_error": None, "num_trials": 0}


def is_probe(trial: Trial) -> bool:
    """Return whether a trial froze the whole backbone."""
    return bool(trial["freeze_depth"] == num_stages(trial["arch"]))


def final_choice(found: list[Candidate], errors: dict[str, float]) -> dict[str, Candidate]:
    """By role the candidate with the lowest mean validation error over its refits; the better trial on a tie.

    Scratch and the probe have the architecture of the chosen transfer, and are left out where none has. There is no
    probe where its refits diverged or the chosen transfer is one itself, and nothing but scratch without transfer.

    Args:
        found: What ``candidates`` gave.
        errors: The mean validation error of each candidate's refits, by name.
    """
    transfer = _lowest((c for c in found if TRANSFER in c.roles), errors)
    if transfer is None:
        return {SCRATCH: min(found, key=lambda candidate: errors[candidate.name])}
    alike = [c for c in found if c.trial["arch"] == transfer.trial["arch"] and c is not transfer]
    chosen = {role: _lowest((c for c in alike if role in c.roles), errors) for role in (SCRATCH, PROBE)}
    if is_probe(transfer.trial):
        chosen[PROBE] = None
    return {TRANSFER: transfer, **{role: candidate for role, candidate in chosen.items() if candidate}}


def _lowest(found: Iterable[Candidate], errors: dict[str, float]) -> Candidate | None:
    return min(found, key=lambda candidate: errors[candidate.name], default=None)


def _best(trials: Iterable[Trial], num: int) -> list[Trial]:
    """Return the best trials of different configurations, each with the number of those it was chosen among."""
    listed = list(trials)
    different: dict[tuple[Any, ...], Trial] = {}
    for row in ranked_trials(listed):
        different.setdefault(tuple(row[key] for key in ("source", "freeze_depth", "lr", "weight_decay")), row)
    return [{**row, "num_trials": len(listed)} for row in list(different.values())[:num]]


def _of_arch(trials: list[Trial], arch: str) -> list[Trial]:
    return [row for row in trials if row["arch"] == arch]


def _named(listed: list[tuple[tuple[str, ...], Trial]]) -> list[Candidate]:
    ranks: dict[str, int] = {}
    found = []
    for roles, trial in listed:
        rank = ranks.setdefault(roles[0], 0)
        ranks[roles[0]] += 1
        found.append(Candidate(f"{roles[0]}-{rank}", roles, trial))
    return found
