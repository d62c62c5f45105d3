"""Searchers: which configurations are tried."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from ray.tune.search.optuna import OptunaSearch

from translearn.cluster.tuning.space import KEYS, SearchSpace
from translearn.config import StudySpec
from translearn.seeds import derive_seed


class StudySearch(OptunaSearch):
    """Ray's ``OptunaSearch`` over a conditional space.

    A trial that was stopped early is told to Optuna as pruned, with its errors so far: its last error is of another
    epoch than those of the trials that ran to their end, and TPE knows the difference.
    """

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Return the config of the next trial, without Optuna's own names of conditional parameters."""
        found = super().suggest(trial_id)
        return {name: found[name] for name in KEYS} if found else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna of the end of a trial."""
        is_stopped = result is not None and not result.get("reason") and result["epoch"] < result["epochs"]
        super().on_trial_complete(trial_id, None if is_stopped else result, error)


def study_search(spec: StudySpec, space: SearchSpace, first: Sequence[Mapping[str, Any]] = ()) -> StudySearch:
    """Return the searcher of a study: ``search.sampler`` by Optuna.

    Args:
        spec: The study.
        space: Its search space.
        first: The first configurations; the sampler suggests what they leave out.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    seed = derive_seed(spec.seed, "search") % 2**31
    samplers: dict[str, Any] = {
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "optuna": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    }
    return StudySearch(
        space,
        metric="val_error",
        mode="min",
        sampler=samplers[spec.search.sampler](),
        points_to_evaluate=[space.first(config) for config in first],
    )
