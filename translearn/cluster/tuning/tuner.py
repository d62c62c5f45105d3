"""The search: one Tune trial a configuration, by target validation error."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ray import tune
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from translearn.cluster.data.features import with_features
from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import Resources
from translearn.cluster.session import environment
from translearn.cluster.tuning.deadline import Deadline, ending_in
from translearn.cluster.tuning.followed import Followed, Followers, OnResult, OnWaiting, OnWhole, following
from translearn.cluster.tuning.nested import nested_trainable
from translearn.cluster.tuning.restored import restored
from translearn.cluster.tuning.results import TrialResult, drop_checkpoints, trial_results
from translearn.cluster.tuning.schedulers import Kind, SchedulerPerKind, ScratchApart, study_scheduler
from translearn.cluster.tuning.searchers import study_search
from translearn.cluster.tuning.space import SearchSpace, search_space
from translearn.cluster.tuning.trainable import FineTune, TrialContext
from translearn.config import StudySpec
from translearn.errors import StorageError, TranslearnError
from translearn.storage.atomic import atomic
from translearn.storage.folder import Folder
from translearn.words import plural

#: The experiment of a study, a folder in its own; and that of scratch, where sources have several architectures.
SEARCH, SCRATCH_SEARCH = "search", "search-scratch"
#: How often a trial goes on after its actor or its node was lost, or failed.
MAX_FAILURES = 3
#: What a trial that only looks after its workers takes: a byte of memory, because Tune allows nothing at all.
_NEXT_TO_NOTHING = {"memory": 1}


def run_search(
    spec: StudySpec,
    task: Task,
    folder: Folder,
    resources: Resources,
    first: Sequence[Mapping[str, Any]] = (),
    *,
    on_result: OnResult = lambda *_: None,
    on_waiting: OnWaiting = lambda *_: None,
    on_whole: OnWhole = lambda *_: None,
    callbacks: Sequence[tune.Callback] = (),
    kind: Kind | None = None,
    time_s: float | None = None,
    search_alg: Searcher | None = None,
    scheduler: TrialScheduler | None = None,
    experiment: str = SEARCH,
) -> list[TrialResult]:
    """Run the trials of a study, or go on with them where an interrupted search left off.

    The experiment stays in ``folder``, without checkpoints: ``tune.Tuner.restore`` and ``tune.ExperimentAnalysis``
    open it.

    Args:
        spec: The study.
        task: Target data and the sources, scratch among them.
        folder: The study's folder.
        resources: The layout.
        first: The first configurations, see ``ranking.first_configurations``.
        on_result: Is called in this process with each result of a trial.
        on_waiting: Is called in this process with each trial that has no result yet, again and again.
        on_whole: Is called in this process with the best trials, as they come to their last epoch; not with those of
            several workers.
        callbacks: Tune's callbacks, such as trackers.
        kind: Which trials are compared with each other; scratch with scratch when None.
        time_s: After so many seconds from now no trial goes on; None for no end.
        search_alg: Any searcher of Tune, over ``SearchSpace.param_space``; that of the study when None.
        scheduler: Any scheduler of Tune; that of the study when None.
        experiment: The name of the experiment, a folder in that of the study.

    Returns:
        The results of each trial, in the order in which they were suggested.

    Raises:
        StorageError: A trial could not keep its checkpoints; the same command goes on with it.
        TranslearnError: No trial gave a result; holds why.
    """
    gc.collect()  # Tune's own cycles keep the actors of a search that was interrupted in this process, and their CPUs
    space = search_space(spec, task.sources)
    where = folder / experiment
    trainable = _trainable(TrialContext(share(with_features(task, spec, resources)), spec, space, resources), where)
    _keep_secrets()
    # A searcher has one trial pending at a time by default: nodes would get their trials, or be asked for, in turn.
    pending = {"TUNE_MAX_PENDING_TRIALS_PG": str(max(1, resources.concurrent_trials))}
    followers = Followers(on_result, on_waiting, on_whole)
    with following(followers), environment(pending), ending_in(time_s), _without_tracebacks():
        tuner, num_known = restored(trainable, where)
        is_restored = tuner is not None
        if tuner is None:
            config = _tune_config(spec, task, space, first, kind, search_alg, scheduler, resources)
            run_config = _run_config(folder, experiment, [Followed(), *callbacks])
            param_space = {} if search_alg is None else space.param_space()
            tuner = tune.Tuner(trainable, param_space=param_space, tune_config=config, run_config=run_config)
        grid = tuner.fit()
    if len(grid) < num_known:  # Tune begins anew, and says so in its log alone
        raise TranslearnError(f"{where.uri}: its trials cannot be restored. Delete it to have them made again.")
    found = trial_results(grid, space, followers.failures, is_restored)
    _check(found)
    drop_checkpoints(where, found)
    return found


def trial_name(trial: Trial) -> str:
    """Return the name of a trial, which says what it tries."""
    config = trial.config
    source = config["source"].replace("/", "-")
    return f"{source}-d{config['freeze_depth']}-lr{config['lr']:.1e}-{trial.trial_id}"


def _trainable(context: TrialContext, experiment: Folder) -> Any:
    resources = context.resources
    if resources.workers_per_trial > 1:
        own = tune.PlacementGroupFactory([_NEXT_TO_NOTHING])
        return tune.with_resources(nested_trainable(context, experiment), own)
    bundle = {unit: num for unit, num in (("CPU", resources.cpus), ("GPU", resources.gpus)) if num}
    return tune.with_resources(tune.with_parameters(FineTune, context=context), tune.PlacementGroupFactory([bundle]))


def _tune_config(
    spec: StudySpec,
    task: Task,
    space: SearchSpace,
    first: Sequence[Mapping[str, Any]],
    kind: Kind | None,
    search_alg: Searcher | None,
    scheduler: TrialScheduler | None,
    resources: Resources,
) -> tune.TuneConfig:
    scratch = frozenset(name for name, source in task.sources.items() if source.kind == "scratch")
    several = resources.workers_per_trial > 1
    return tune.TuneConfig(
        metric="val_error",
        mode="min",
        search_alg=search_alg or study_search(spec, space, first),
        scheduler=SchedulerPerKind(scheduler or study_scheduler(spec.search), kind or ScratchApart(scratch)),
        num_samples=spec.search.trials,
        # What a trial of several workers asks for itself bounds nothing.
        max_concurrent_trials=resources.concurrent_trials if several else None,
        reuse_actors=not several,
        time_budget_s=spec.search.time_budget_s,
        trial_name_creator=trial_name,
        trial_dirname_creator=trial_name,
    )


def _run_config(folder: Folder, experiment: str, callbacks: list[tune.Callback]) -> tune.RunConfig:
    return tune.RunConfig(
        name=experiment,
        storage_path=folder.path,
        storage_filesystem=atomic(folder.fs),
        callbacks=callbacks,
        stop=Deadline(),
        verbose=0,
        failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
        checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_at_end=False),
    )


def _keep_secrets() -> None:
    """Tune would copy the driver's keys of AWS to actors, and Ray write them into its log. Each node has its own."""
    names = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in names if not name.startswith("AWS_")}


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """While the block runs, Tune logs its errors in a line; ``error.txt`` of a trial has its traceback."""
    loggers = [logging.getLogger(f"ray.tune.execution.{name}") for name in ("tune_controller", "experiment_state")]
    for logger in loggers:
        logger.addFilter(_one_line)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_one_line)


def _one_line(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


def _check(found: Sequence[TrialResult]) -> None:
    lost = [one for one in found if one.reason and one.reason.startswith(f"{StorageError.__name__}: ")]
    if lost:
        raise StorageError(
            f"search: {plural(len(lost), 'trial')} could not be kept. The first one: {lost[0].reason}. Run the same "
            "command again to go on."
        )
    if any(one.curve and not one.reason for one in found):
        return
    reasons = [one.reason for one in found if one.reason]
    why = f" The first one failed: {reasons[0]}" if reasons else " None came to the end of its first epoch."
    raise TranslearnError(f"search: no trial gave a result.{why}")
