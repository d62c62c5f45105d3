"""Results of a search, read from what Tune keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ray import tune
from ray.exceptions import RayTaskError

from translearn.cluster.tuning.space import SearchSpace
from translearn.storage.folder import Folder

#: What Ray Train keeps of a trial of several workers, in the trial's folder.
WORKERS = "workers"
_WHOLE = ("epoch", "epochs", "threads")


@dataclass(frozen=True)
class TrialResult:
    """A trial that began.

    Attributes:
        run: Its name, that of its folder.
        config: Its settled config.
        curve: Its results, one an epoch, in order.
        reason: Why it failed; None where it did not.
    """

    run: str
    config: dict[str, Any]
    curve: list[dict[str, Any]]
    reason: str | None = None


def trial_results(
    grid: tune.ResultGrid,
    space: SearchSpace,
    failures: Mapping[str, str] = MappingProxyType({}),
    is_restored: bool = False,
) -> list[TrialResult]:
    """Return the trials of a search that began, in the order in which they were suggested.

    Tune forgets this order when it restores an experiment; the trials then come in the order in which they began.

    Args:
        grid: What Tune has of them.
        space: The search space.
        failures: Why trials failed, by their names: Tune may not have been able to keep it in the storage.
        is_restored: Whether the experiment was restored.
    """
    begun = (result for result in grid if result.config)  # of one that still waited at the end Tune knows no config
    found = [one for one in (_trial_result(result, space, failures) for result in begun) if one.curve or one.reason]
    return sorted(found, key=_began_at) if is_restored else found


def _began_at(one: TrialResult) -> float:
    return float(one.curve[0].get("began_at", math.inf)) if one.curve else math.inf


def drop_checkpoints(experiment: Folder, found: Sequence[TrialResult]) -> None:
    """Delete the checkpoints of trials, and those of their workers: all have ended."""
    for trial in (experiment / one.run for one in found):
        for name in trial.names():
            if name.startswith("checkpoint_") or name == WORKERS:
                (trial / name).remove()


def _trial_result(result: tune.Result, space: SearchSpace, failures: Mapping[str, str]) -> TrialResult:
    frame = result.metrics_dataframe
    rows = [] if frame is None else frame.to_dict("records")
    # An epoch that was lost with its actor is there twice, with the same figures.
    curve = {int(row["epoch"]): _known(row) for row in rows if _has(row, "epoch")}
    ordered = [curve[epoch] for epoch in sorted(curve)]
    run = result.path.rstrip("/").rpartition("/")[2]
    why = failures.get(run) or (result.error and cause(result.error))
    reason = why or (ordered[-1].get("reason") if ordered else None)
    return TrialResult(run, space.settled(result.config), ordered, reason)


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as reported: a data frame has NaN where nothing was, and no whole numbers beside it."""
    known = {name: value for name, value in row.items() if _has(row, name)}
    return {name: int(value) if name in _WHOLE else value for name, value in known.items()}


def _has(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def cause(error: BaseException) -> str:
    """Return in a line what a trial failed of."""
    first = error.cause if isinstance(error, RayTaskError) and error.cause else error
    lines = str(first).strip().splitlines()
    return f"{type(first).__name__}: {lines[-1] if lines else ''}"
