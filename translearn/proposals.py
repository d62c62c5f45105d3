"""What is tried: points of the search space, drawn by Optuna, which is told what became of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import optuna

from translearn.contest import Fate, Point
from translearn.seeds import derive_seed
from translearn.sources import Source
from translearn.spec import StudySpec


class OptunaProposals:
    """Points of a study's conditional space: the default configurations first, then what Optuna's sampler says."""

    def __init__(self, spec: StudySpec, sources: dict[str, Source]) -> None:
        """Prepares the space of a study over its sources, scratch among them."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._spec, self._sources = spec, sources
        seed = derive_seed(spec.seed, "search") % 2**31
        samplers = {
            "random": optuna.samplers.RandomSampler(seed=seed),
            "optuna": optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
        }
        self._study = optuna.create_study(sampler=samplers[spec.search.algorithm])
        for point in first_points(spec, sources)[: spec.search.trials]:
            self._study.enqueue_trial(point)
        self._drawn: list[optuna.Trial] = []

    def draw(self, num: int) -> list[Point]:
        """See ``Proposals``."""
        self._drawn = [self._study.ask() for _ in range(num)]
        return [self._point(trial) for trial in self._drawn]

    def tell(self, fates: Sequence[Fate]) -> None:
        """See ``Proposals``. A trial that was stopped tells its errors so far: Optuna's TPE ranks it below the done."""
        for trial, fate in zip(self._drawn, fates, strict=True):
            for epoch, error in enumerate(fate.val_errors, 1):
                trial.report(error, epoch)
            if not fate.val_errors:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            elif fate.is_done:
                self._study.tell(trial, fate.val_errors[-1])
            else:
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def _point(self, trial: optuna.Trial) -> Point:
        spec = self._spec
        name = trial.suggest_categorical("source", list(self._sources))
        source = self._sources[name]
        lr = trial.suggest_float("lr", *spec.search.lr, log=True)
        decays = spec.search.weight_decay
        decay = trial.suggest_categorical("weight_decay", decays) if decays else spec.train.weight_decay
        is_scratch = source.kind == "scratch"
        # Random stages are not worth freezing.
        depth = 0 if is_scratch else trial.suggest_categorical(depth_key(source.arch), spec.freeze_depths(source.arch))
        return Point(name, int(depth), lr, float(decay), is_scratch)


def first_points(spec: StudySpec, sources: dict[str, Source]) -> list[dict[str, Any]]:
    """What is tried first: the default configuration, the same for every other source, and scratch's share.

    Scratch has but a learning rate to choose. It gets as many trials as there are for each source, at least 3, at
    rates around the default one: the gain over a baseline that nobody tuned would mean nothing.
    """
    points: list[dict[str, Any]] = []
    for name, source in sources.items():
        depth = {} if source.kind == "scratch" else {depth_key(source.arch): min(spec.freeze_depths(source.arch))}
        points.append({"source": name, "lr": spec.default_lr, **depth})
    baselines = [name for name, source in sources.items() if source.kind == "scratch"]
    share = max(3, spec.search.trials // len(sources))
    return points + [{"source": name, "lr": lr} for lr in _rates(spec, share)[1:] for name in baselines]


def _rates(spec: StudySpec, num: int) -> list[float]:
    """At most so many learning rates of the range: the default one, three times and a third of it, and so on."""
    low, high = spec.search.lr
    exponents = sorted(range(-num, num + 1), key=lambda exponent: (abs(exponent), -exponent))
    rates = [spec.default_lr * 3.0**exponent for exponent in exponents]
    return [rate for rate in rates if low <= rate <= high][:num]


def depth_key(arch: str) -> str:
    """The searcher's name of the freeze depth of an architecture: their ranges differ."""
    return f"freeze_depth_{arch}"
