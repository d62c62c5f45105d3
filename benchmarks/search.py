"""The same search by the recipe of Ray's guide, by plain Ray Tune, and by translearn: wall time, and equal tables.

Variants, on one local Ray, two trials at a time with one thread each, ``precision: auto``:

- ``nested``: Ray's guide to Tune with Train, a Tune function that runs a TorchTrainer of one worker.
- ``tune``: Ray Tune at its best: a class ``Trainable`` with ``reuse_actors=True``, data decoded once and shared with
  the weights through the object store, ``ASHAScheduler``, no checkpoints.
- ``ours``: translearn's ``run_search``.

All run translearn's own loop with its precision and its allocator settings, so they differ in execution alone.

(a) The full table of 24 given trials: two sources (pre-trained here for a moment), four freeze depths, three learning
rates, equal seeds. ``tune`` and ``ours`` under ASHA with equal settings; ``nested`` without scheduler, and of it every
third trial is run (each source and depth once), its time taken as three times that (``estimated``). ``tables_equal``:
each trial has the same losses and errors in all variants, epoch by epoch and bit for bit, as far as both ran, and the
same hash of its weights where both ran to the end. ASHA may stop other trials in each run.

(b) Time until a trial that was trained whole has a validation error within 0.01 of the best one that any variant found
at that length. ``tune`` draws at random from scratch and three sources of different worth; ``ours`` ranks the sources
on the clock, then runs first configurations and Optuna. Expected seconds of a search that begins anew with another
seed where it ends in vain, as in ``choosing``.

``--epochs 27`` measures one length alone, ``--turns 3`` all of it three times, ``--skip`` leaves out ``nested`` or (b).
``epochs.N`` has the figures at trials of N epochs with their spread over the turns. ``ratio_nested``,
``ratio_tune_table`` (a) and ``ratio_tune_best`` (b) are seconds over those of ``ours``: the lowest median of a length.
``ratio_tune_epoch`` is (a) for each epoch that was trained, because ASHA, which decides by what is there, trains a
different number in each run.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import common
import ray
import ray.train
import ray.train.torch
from choosing_simulation import tried
from choosing_tasks import obtain_sources
from ray import tune
from ray.train.torch import TorchConfig, TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.search.basic_variant import BasicVariantGenerator

from translearn.cluster.data.shared import Shared, Task, fetch, share
from translearn.cluster.resources import plan_resources
from translearn.cluster.scoring import score_sources
from translearn.cluster.session import session
from translearn.cluster.tuning.results import TrialResult, trial_results
from translearn.cluster.tuning.schedulers import study_scheduler
from translearn.cluster.tuning.space import SearchSpace, search_space
from translearn.cluster.tuning.tuner import run_search
from translearn.config import StudySpec, parse_spec
from translearn.data.dataset import open_dataset
from translearn.data.images.decode import decode_split
from translearn.data.ingest.ingest import IngestOptions, ingest
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.errors import NonFiniteError
from translearn.models.sources import Source, initial_network
from translearn.models.weights import fingerprint
from translearn.ranking.first_configurations import first_configurations
from translearn.storage.folder import Folder
from translearn.study.ranking.rank import prior, ranking_of
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

NEAR, SEARCHES, EVERY = 0.01, 2, 3
_PER_CLASS, _SIZE, _DEPTHS, _RATES = 20, 64, (0, 2, 4, 5), (1e-3, 1e-2, 5e-2)
_LENGTHS, _OF_TABLE = (2, 9, 27), ("glyphs", "textures")
_RATIOS = ("ratio_nested", "ratio_tune_table", "ratio_tune_epoch", "ratio_tune_best")
_FIGURES = ("epoch", "train_loss", "val_loss", "val_error")

Config = dict[str, Any]
Row = dict[str, Any]
#: The rows of each trial, by source, freeze depth and learning rate.
Table = Mapping[tuple[str, int, float], Sequence[Row]]


@dataclass(frozen=True)
class Setting:
    """All that variants are given: the data set's path, the sources, scratch among them, and the study."""

    data: str
    sources: dict[str, Source]
    spec: StudySpec

    def task(self) -> Task:
        """Decode the data."""
        dataset = open_dataset(self.data)
        train, val = (decode_split(dataset, split, _SIZE) for split in ("train", "val"))
        return Task(train, val, len(dataset.manifest.classes), self.sources)

    def only(self, *names: str) -> Setting:
        """Return the same with some of the sources."""
        return dataclasses.replace(self, sources={name: self.sources[name] for name in names})


@dataclass(frozen=True)
class Searched:
    """A search: its wall time, and the seconds until each whole trial ended, with its error."""

    seconds: float
    ends: list[tuple[float, float]]

    def until(self, goal: float) -> float | None:
        """Return the seconds until an error was at most ``goal``; None where none was."""
        return min((seconds for seconds, error in self.ends if error <= goal), default=None)


Variant = Callable[[Setting, Path], list[TrialResult]]


def measure(quick: bool, epochs: int | None = None, skip: Sequence[str] = (), turns: int = 1) -> dict[str, Any]:
    """Measure each length, the variants of a length one after the other, turn by turn."""
    depths, rates = ((0, 4), _RATES[:1]) if quick else (_DEPTHS, _RATES)
    given = [{"source": s, "freeze_depth": d, "lr": lr} for s in _OF_TABLE for d in depths for lr in rates]
    sources, found = obtain_sources(), {}
    with tempfile.TemporaryDirectory() as folder, session("local", dashboard=False, num_cpus=2):
        data = _ingested(f"{folder}/data")
        for length in [epochs] if epochs else [1] if quick else _LENGTHS:
            make = partial(_setting, data, sources, length, len(given))
            found[str(length)] = _length(make, given, Path(folder, str(length)), skip, 1 if quick else SEARCHES, turns)
    return {
        "trials": len(given),
        "epochs": found,
        **{
            name: _lowest(found, name)
            for name in ("ratio_nested", "ratio_tune_table", "ratio_tune_epoch", "ratio_tune_best")
        },
        "tables_equal": all(one["tables_equal"] for one in found.values()),
    }


def _lowest(found: Mapping[str, Mapping[str, Any]], name: str) -> float | None:
    ratios = [one[name] for one in found.values() if name in one]
    return min((ratio["median"] if isinstance(ratio, dict) else ratio for ratio in ratios), default=None)


def _length(
    make: Callable[[int], Setting], given: list[Config], folder: Path, skip: Sequence[str], searches: int, turns: int
) -> dict[str, Any]:
    """Return the figures of one length of trials."""
    of_table: dict[str, Variant] = {
        "ours": partial(_ours, given=given),
        "tune": partial(_tune, given=given),
        "nested": partial(_nested, given=given[::EVERY]),
    }
    of_best: dict[str, Variant] = {"ours": _ranked, "tune": _tune}
    _warm_up(make(0), folder)
    seconds: dict[str, list[float]] = {name: [] for name in of_table if name not in skip}
    tables: dict[str, list[Table]] = {name: [] for name in seconds}
    searched: dict[str, list[Searched]] = {name: [] for name in of_best}
    for turn in range(turns):
        order = slice(None, None, -1 if turn % 2 else 1)  # A B B A: a drift of the machine meets all alike
        for name in [*seconds][order]:
            one, trials = _timed(of_table[name], make(0).only(*_OF_TABLE), folder / f"table-{turn}-{name}")
            seconds[name].append(one.seconds * (EVERY if name == "nested" else 1))
            tables[name].append(_table(trials, given[::EVERY] if name == "nested" else given))
        for seed in range(0 if "best" in skip else searches):
            for name in [*of_best][order]:
                path = folder / f"best-{turn}-{seed}-{name}"
                searched[name].append(_timed(of_best[name], make(turn * searches + seed), path)[0])
    of_all = [table for found in tables.values() for table in found]
    return {
        **_table_figures(seconds, tables),
        "tables_equal": agree(of_all),
        **(_best_figures(searched, of_all) if searched["ours"] else {}),
    }


def _warm_up(setting: Setting, folder: Path) -> None:
    """Have Ray start its workers, and read torch from the disk: whichever variant comes first would pay for it."""
    search = setting.spec.search.model_copy(update={"epochs": 1, "trials": 2})
    short = dataclasses.replace(setting, spec=setting.spec.model_copy(update={"search": search}))
    _ours(short, folder / "warm-up", [{"source": "scratch", "freeze_depth": 0, "lr": lr} for lr in (1e-3, 1e-2)])


def _timed(variant: Variant, setting: Setting, folder: Path) -> tuple[Searched, list[TrialResult]]:
    gc.collect()
    started = time.time()
    trials = variant(setting, folder)
    seconds = time.time() - started
    print(f"{folder.parent.name} epochs, {folder.name}: {seconds:.1f} s", flush=True)
    whole = [row for trial in trials for row in trial.curve if "weights" in row]
    return Searched(seconds, [(row["ended_at"] - started, row["val_error"]) for row in whole]), trials


def _table(trials: Sequence[TrialResult], given: Sequence[Config]) -> Table:
    table = {(one.config["source"], one.config["freeze_depth"], one.config["lr"]): one.curve for one in trials}
    expected = [tuple(config.values()) for config in given]
    if sorted(table) != sorted(expected):
        raise AssertionError(f"a table must have the trials {sorted(expected)}, but has {sorted(table)}")
    return table


def _table_figures(seconds: dict[str, list[float]], tables: Mapping[str, Sequence[Table]]) -> dict[str, Any]:
    names = {"nested": "ratio_nested", "tune": "ratio_tune_table"}
    return {
        "seconds": {name: common.spread(values) for name, values in seconds.items()},
        "epochs_trained": {name: [sum(map(len, one.values())) for one in found] for name, found in tables.items()},
        "estimated": [name for name in seconds if name == "nested"],
        **{names[name]: common.ratio(values, seconds["ours"]) for name, values in seconds.items() if name in names},
        "ratio_tune_epoch": common.ratio(_per_epoch("tune", seconds, tables), _per_epoch("ours", seconds, tables)),
    }


def agree(tables: Sequence[Table]) -> bool:
    """Return whether each two tables tell the same of each trial, as far as both tell of it."""
    return all(
        _figures(row) == _figures(other_row)
        for one, other in itertools.combinations(tables, 2)
        for key in one.keys() & other.keys()
        for row, other_row in zip(one[key], other[key], strict=False)  # ASHA may have stopped one of them
    )


def _figures(row: Row) -> list[Any]:
    return [row.get(name) for name in (*_FIGURES, "weights")]


def _per_epoch(name: str, seconds: Mapping[str, list[float]], tables: Mapping[str, Sequence[Table]]) -> list[float]:
    num_epochs = [sum(map(len, one.values())) for one in tables[name]]
    return [spent / num for spent, num in zip(seconds[name], num_epochs, strict=True)]


def _best_figures(searched: Mapping[str, Sequence[Searched]], tables: Sequence[Table]) -> dict[str, Any]:
    errors = [error for searches in searched.values() for one in searches for _, error in one.ends]
    errors += [row["val_error"] for table in tables for curve in table.values() for row in curve if "weights" in row]
    goal = min(errors) + NEAR
    expected = {name: expected_seconds(searches, goal) for name, searches in searched.items()}
    return {
        "best_error": min(errors),
        "searches": {name: common.spread([one.seconds for one in searches]) for name, searches in searched.items()},
        "seconds_to_best": {name: [one.until(goal) for one in searches] for name, searches in searched.items()},
        "expected_seconds_to_best": expected,
        "ratio_tune_best": expected["tune"] / expected["ours"],
    }


def expected_seconds(searches: Sequence[Searched], goal: float) -> float:
    """Return the expected seconds to a goal of a search that begins anew where it ends in vain; too low if all did."""
    found = [one.until(goal) for one in searches]
    spent = sum(one.seconds if until is None else until for one, until in zip(searches, found, strict=True))
    return spent / max(sum(until is not None for until in found), 0.5)


def _ingested(out: str) -> str:
    plan = plan_ingest("sklearn:digits", IngestOptions(split=(0.4, 0.2, 0.4), limit_per_class=_PER_CLASS))
    ingest(plan, Folder.open(out), inspected(plan))
    return out


def _setting(data: str, sources: dict[str, Source], epochs: int, trials: int, seed: int) -> Setting:
    spec = {
        "name": "search",
        "seed": seed,
        "target": {"data": "sklearn:digits", "image_size": _SIZE},
        "sources": [{"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}],  # is not looked at
        "search": {"trials": trials, "epochs": epochs, "scheduler": "asha", "grace_epochs": 1},
        "train": {"batch_size": 32, "augment": "crop"},
    }
    return Setting(data, sources, parse_spec(spec))


def _ours(setting: Setting, folder: Path, given: Sequence[Config]) -> list[TrialResult]:
    """Run given trials."""
    spec, resources = setting.spec, plan_resources(setting.spec.cluster)
    return run_search(spec, setting.task(), Folder.open(folder), resources, given)


def _ranked(setting: Setting, folder: Path) -> list[TrialResult]:
    """Rank the sources, then search, as a study does."""
    spec, task, resources = setting.spec, setting.task(), plan_resources(setting.spec.cluster)
    scored = score_sources(task, {}, spec, resources)
    known = prior(ranking_of(scored, task.sources, len(task.train)))
    kept = tried(task.sources, known)
    first = first_configurations(spec, kept, known)
    return run_search(spec, dataclasses.replace(task, sources=kept), Folder.open(folder), resources, first)


def _tune(setting: Setting, folder: Path, given: Sequence[Config] = ()) -> list[TrialResult]:
    """Run given trials, or draw them at random, by Ray Tune alone."""
    spec, space = setting.spec, search_space(setting.spec, setting.sources)
    body = tune.with_parameters(TuneTrial, shared=share(setting.task()), spec=spec, space=space)
    config = tune.TuneConfig(
        metric="val_error",
        mode="min",
        search_alg=BasicVariantGenerator(points_to_evaluate=[*given], random_state=spec.seed),
        scheduler=study_scheduler(spec.search),
        num_samples=spec.search.trials,
        reuse_actors=True,
    )
    return _fitted(tune.with_resources(body, {"cpu": 1}), space, config, folder)


def _nested(setting: Setting, folder: Path, given: Sequence[Config]) -> list[TrialResult]:
    """Run given trials by a TorchTrainer each."""
    space, orders = search_space(setting.spec, setting.sources), (ray.put(setting),)

    def train_driver(config: Config) -> None:
        TorchTrainer(
            _train_worker,
            train_loop_config={"trial": space.settled(config), "orders": orders},
            torch_config=TorchConfig(backend="gloo"),
            scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.9}),
            run_config=ray.train.RunConfig(
                name=tune.get_context().get_trial_id(),
                storage_path=f"{folder}/workers",
                callbacks=[TuneReportCallback()],
            ),
        ).fit()

    searcher = BasicVariantGenerator(points_to_evaluate=[*given], max_concurrent=2)
    config = tune.TuneConfig(search_alg=searcher, num_samples=len(given))
    return _fitted(tune.with_resources(train_driver, {"cpu": 0.01}), space, config, folder)


def _fitted(trainable: Any, space: SearchSpace, config: tune.TuneConfig, folder: Path) -> list[TrialResult]:
    no_checkpoints = tune.CheckpointConfig(checkpoint_at_end=False)
    run_config = tune.RunConfig(name="tune", storage_path=str(folder), verbose=0, checkpoint_config=no_checkpoints)
    param_space = space.param_space()
    grid = tune.Tuner(trainable, param_space=param_space, tune_config=config, run_config=run_config).fit()
    if grid.errors:
        raise grid.errors[0]
    return trial_results(grid, space)


class TuneTrial(tune.Trainable):
    """A trial of plain Ray Tune, an epoch a step."""

    def setup(self, config: Config, shared: Shared, spec: StudySpec, space: SearchSpace) -> None:
        """Import torch and map the data, once an actor."""
        prepare_process(1)
        self._task, self._spec, self._space = fetch(shared), spec, space
        self.reset_config(config)

    def reset_config(self, new_config: Config) -> bool:
        """Begin another trial."""
        self._rows = _rows(self._task, self._spec, self._space.settled(new_config), DistributedContext())
        return True

    def step(self) -> Row:
        """Train an epoch."""
        row = next(self._rows)
        return {**row, "done": "weights" in row or "reason" in row}


def _train_worker(config: Config) -> None:
    prepare_process(1)
    setting: Setting = ray.get(config["orders"][0])
    context = DistributedContext.joined(ray.train.torch.get_device())
    for row in _rows(setting.task(), setting.spec, config["trial"], context):
        ray.train.report(row)


def _rows(task: Task, spec: StudySpec, config: Config, context: DistributedContext) -> Iterator[Row]:
    """Train a trial; yield a row an epoch, with the weights' hash in the last one."""
    network, _ = initial_network(task.sources[config["source"]], task.num_classes, spec.seed)
    train = TrainConfig(config["freeze_depth"], config["lr"], spec.search.epochs, spec.seed, spec.train)
    try:
        for result in fine_tune(network, task.train, task.val, train, context):
            row = {name: getattr(result, name) for name in _FIGURES} | {"ended_at": time.time()}
            if result.epoch == train.epochs:
                row["weights"] = fingerprint(result.state()["model"])
            yield row
    except NonFiniteError as error:
        yield {"epoch": error.epoch, "val_error": 1.0, "reason": str(error), "ended_at": time.time()}


if __name__ == "__main__":
    more: dict[str, dict[str, Any]] = {
        "epochs": {"type": int, "help": "trials of this length alone"},
        "turns": {
            "type": int,
            "default": 1,
            "choices": range(1, 10),
            "metavar": "N",
            "help": "how often all of it is measured",
        },
        "skip": {"action": "append", "default": [], "choices": ("nested", "best"), "help": "a part that is left out"},
    }
    common.run("search", measure, more=more)
