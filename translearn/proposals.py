"""What is tried: points of the search space, drawn by Optuna, which is told what became of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import optuna

from translearn.config import StudySpec
from translearn.contest import Fate, Point
from translearn.models.sources import Source
from translearn.ranking.first_configurations import depth_key, first_points
from translearn.ranking.prior import NOTHING, Past, Prior
from translearn.seeds import derive_seed


class OptunaProposals:
    """Points of a study's conditional space: the default configurations first, then what Optuna's sampler says."""

    def __init__(
        self,
        spec: StudySpec,
        sources: Mapping[str, Source],
        prior: Prior | None = None,
        past: Past = NOTHING,
    ) -> None:
        """Prepares the space of a study.

        Args:
            spec: The study.
            sources: Those that may be drawn, scratch among them.
            prior: What a ranking of them says; None for the plain search.
            past: What past studies teach.
        """
        #: The first point is what a ranking or the past says; without these it is only the source that was named first.
        self.num_pilots = 1 if prior or any(not point.is_scratch for point in past.points) else 0
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._spec, self._sources = spec, sources
        seed = derive_seed(spec.seed, "search") % 2**31
        samplers = {
            "random": optuna.samplers.RandomSampler(seed=seed),
            "optuna": optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
        }
        self._study = optuna.create_study(sampler=samplers[spec.search.algorithm])
        for point in first_points(spec, sources, prior, past)[: spec.search.trials]:
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
