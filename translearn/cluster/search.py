"""The search: Ray Tune keeps lanes alive, a race decides what they run, by target validation error."""

from __future__ import annotations

import dataclasses
import functools
import gc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from ray.tune import TuneError
from ray.tune.execution import class_cache
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from translearn.cluster.boundary_folders import sweep_each_node
from translearn.cluster.data.shared import Task, share
from translearn.cluster.desk import Desk
from translearn.cluster.heat import Setting
from translearn.cluster.lane import Lane
from translearn.cluster.referee import Referee, known_rows
from translearn.cluster.resources import Resources, places
from translearn.cluster.states import Places
from translearn.config import SearchSpec, StudySpec
from translearn.config.archs import num_stages
from translearn.contest import Contestant, League, Point, Proposals, Row, scratch_apart
from translearn.errors import TranslearnError
from translearn.heats import group
from translearn.proposals import OptunaProposals
from translearn.race import Race
from translearn.rungs import rungs
from translearn.storage.folder import Folder

#: What a lane that only looks after its workers takes; Tune allows no 0.
_OWN_CPUS = 0.01


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        run: Its name.
        point: Its configuration.
        curve: Its rows, an epoch each, in order.
        reason: Why it failed; None where it did not.
        is_replayed: Whether its plain replay gave the same weights; None where it was not replayed.
        replay_reason: Why the replay failed; None where it did not.
    """

    run: str
    point: Point
    curve: list[Row]
    reason: str | None
    is_replayed: bool | None
    replay_reason: str | None = None


def run_search(
    spec: StudySpec,
    task: Task,
    folder: Folder,
    resources: Resources,
    on_row: Callable[[Row, Point], None] = lambda *_: None,
    proposals: Proposals | None = None,
    league: League = scratch_apart,
) -> list[Outcome]:
    """Makes the study's trials, or goes on with them where an interrupted search left off.

    Args:
        spec: The study.
        task: Target data and the sources, scratch among them.
        folder: The search's folder: what it needs to go on lies there.
        resources: The layout.
        on_row: Is called in this process with each new epoch of a trial, and the trial's point.
        proposals: Where the trials come from; what the study says when None.
        league: Which trials race against each other.

    Returns:
        What became of each trial, in the order in which they were drawn.

    Raises:
        TranslearnError: The search ended before its trials did.
    """
    gc.collect()  # Tune's own cycles keep the lanes of a search that was interrupted in this process, and their CPUs
    race = _race(spec, task, folder, resources, proposals or OptunaProposals(spec, task.sources), league)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk = ray.remote(num_cpus=0, scheduling_strategy=here)(Desk).remote()
    setting = Setting(share(task), spec, Places(desk, folder), resources.cpus)
    referee = Referee(race, desk, folder, on_row)
    try:
        _tuner(setting, folder, resources, referee).fit()
    except TuneError:
        if referee.fault:
            raise referee.fault from None
        raise
    finally:
        ray.kill(desk)
        sweep_each_node()
    if not race.is_over:
        raise TranslearnError("search: it ended before its trials did. Run the same command again to go on.")
    return [_outcome(race, contestant) for contestant in race.contestants]


def _race(
    spec: StudySpec, task: Task, folder: Folder, resources: Resources, proposals: Proposals, league: League
) -> Race:
    search, sources = spec.search, task.sources
    races = search.mode == "race"
    grouping = functools.partial(
        group,
        num_stages={name: num_stages(source.arch) for name, source in sources.items()},
        num_slots=resources.concurrent_trials,
        most=search.trials_together,
    )
    return Race(
        proposals,
        generations(search),
        rungs(search.epochs, search.grace_epochs, search.reduction_factor) if races else (search.epochs,),
        search.reduction_factor,
        grouping,
        known_rows(folder),
        replays=races,
        # Several workers cannot break a heat off.
        replays_ahead=resources.workers_per_trial == 1,
        league=league,
    )


def generations(search: SearchSpec) -> tuple[int, ...]:
    """How many trials are drawn at a time: all at once, or where results can teach, half and half."""
    half = math.ceil(search.trials / 2)
    learns = search.algorithm == "optuna" and search.trials > 1
    return (half, search.trials - half) if learns else (search.trials,)


def _tuner(setting: Setting, folder: Folder, resources: Resources, referee: Referee) -> tune.Tuner:
    _keep_secrets()
    lane = tune.with_parameters(Lane, setting=setting, resources=resources, folder=folder)
    lanes = list(range(min(resources.concurrent_trials, setting.spec.search.trials)))
    return tune.Tuner(
        tune.with_resources(lane, _where(resources)),
        param_space={"lane": tune.grid_search(lanes)},
        run_config=tune.RunConfig(
            name="tune",
            storage_path=folder.path,
            storage_filesystem=folder.fs,
            callbacks=[referee],
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            # The referee counts how often a heat is lost.
            failure_config=tune.FailureConfig(max_failures=-1),
        ),
    )


def _where(resources: Resources) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    """What a lane asks for, and of which node: of each in turn, and of any other where that one is full or lost.

    A lane of several workers asks for next to nothing itself; its workers are wherever they fit together.
    """
    if resources.workers_per_trial > 1:
        return lambda _: tune.PlacementGroupFactory([{"CPU": _OWN_CPUS}])
    bundle = {unit: num for unit, num in (("CPU", resources.cpus), ("GPU", resources.gpus)) if num}
    nodes: list[str | None] = [*places(resources)] or [None]
    return lambda config: tune.PlacementGroupFactory(
        [bundle], strategy="STRICT_PACK", _soft_target_node_id=nodes[config["lane"] % len(nodes)]
    )


def _keep_secrets() -> None:
    """Tune would copy the driver's keys of AWS to actors, and Ray write them into its log. Each node has its own."""
    names = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in names if not name.startswith("AWS_")}


def _outcome(race: Race, contestant: Contestant) -> Outcome:
    run, replay = contestant.run, race.replay
    curve = race.standings.curves.get(run, {})
    rows = [curve[epoch] for epoch in sorted(curve)]
    outcome = Outcome(run, contestant.point, rows, race.standings.reason(run), None)
    if replay is None or replay["run"] != run:
        return outcome
    is_same = replay.get("weights") is not None and replay["weights"] == race.standings.last(run).get("weights")
    return dataclasses.replace(outcome, is_replayed=is_same, replay_reason=replay.get("reason"))
