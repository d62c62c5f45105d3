"""The same trials by the usual recipe, by plain Ray Tune, and by translearn: wall time, and whether the tables agree.

Variants, on one local Ray, two trials at a time with one thread each, ``precision: auto``:

- ``nested``: the recipe of Ray's guide, a Tune trial that starts a TorchTrainer of one worker.
- ``plain``: Tune function trainables, a process a trial.
- ``exhaustive`` and ``race``: translearn's search in its two modes; the race with its replay of the winner.

All run translearn's own loop, so they differ in execution alone: the usual recipe gets its arithmetic, its allocator
settings and its quick polling of Ray Train for free, and decodes the data once a trial, not once an epoch. Two sources
(pre-trained here for a moment), four freeze depths, three learning rates, equal seeds: 24 trials.

``--epochs 27 --skip nested`` fills in one point of the curve of the ratio over the length of trials; ``--turns 3``
measures all of it three times. ``epochs.N`` has the figures at trials of N epochs, with their spread over the turns;
``estimated`` marks variants of which every third trial was run (each source and depth once), the time of all taken as
three times that. ``ratio_nested`` and ``ratio_plain`` are those of the race at the longest trials (medians over the
turns), ``ratio_nested_exhaustive`` that of the exhaustive mode at the shortest.
``tables_equal``: every trial of every mode has the figures of the plain one epoch by epoch, as far as it ran, and the
hash of its weights where it ran to the end; and the replay of each race's winner gave its weights.
"""

from __future__ import annotations

import functools
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import ray.train
import ray.train.torch
from ray import tune
from ray.train.torch import TorchConfig, TorchTrainer

from translearn.cluster.data.shared import Task
from translearn.cluster.resources import Resources
from translearn.cluster.search import run_search
from translearn.cluster.session import session
from translearn.cluster.training.group import scaling
from translearn.config import StudySpec, parse_spec
from translearn.contest import Fate, Point
from translearn.data.dataset import Dataset, open_dataset
from translearn.data.images.decode import decode_split
from translearn.data.ingest.ingest import IngestOptions, ingest
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.models.network import build
from translearn.models.sources import Source, initial_network
from translearn.models.weights import fingerprint
from translearn.storage.folder import Folder
from translearn.training.config import Recipe
from translearn.training.distributed import Team
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

#: Of a trial, by its place: an (epoch, train loss, validation loss, validation error) an epoch, and the weights' hash.
Table = dict[int, tuple[list[list[float]], str | None]]

#: The variants that translearn is compared with.
_USUAL = ("plain", "nested")
_PER_CLASS, _SIZE, _DEPTHS, _RATES = 20, 64, (0, 2, 4, 5), (1e-3, 1e-2, 5e-2)


class Grid:
    """Every combination, as the search's proposals."""

    num_pilots = 0

    def __init__(self, depths: Sequence[int], rates: Sequence[float]) -> None:
        self.points = [
            Point(s, d, lr, 1e-4, is_scratch=False) for s in ("glyphs", "textures") for d in depths for lr in rates
        ]

    def draw(self, num: int) -> list[Point]:
        """See ``Proposals``."""
        return self.points[:num]

    def tell(self, fates: Sequence[Fate]) -> None:
        """See ``Proposals``."""


def measure(quick: bool, epochs: int | None = None, skip: Sequence[str] = (), turns: int = 1) -> dict[str, Any]:
    """Each length, the variants of a length one after the other, turn by turn; of one length all trials are run."""
    grid = Grid((0, 4), (1e-2,)) if quick else Grid(_DEPTHS, _RATES)
    # Epochs: of how many trials one is run by the usual recipes.
    lengths = {epochs: 1} if epochs else {1: 1} if quick else {2: 3, 9: 3}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, session("local", dashboard=False, num_cpus=2):
        scanned = IngestOptions(split=(0.4, 0.2, 0.4), limit_per_class=_PER_CLASS)
        data = _ingested("sklearn:digits", f"{folder}/data", scanned)
        sources = {name: _pretrained(name, folder, quick) for name in ("glyphs", "textures")}
        for length, every in lengths.items():
            compare = functools.partial(_compared, length, every, grid, data, sources, skip=skip)
            found[str(length)] = _over_turns([compare(Path(folder, f"{length}-{turn}")) for turn in range(turns)])
    race, short = found[str(max(lengths))], found[str(min(lengths))]
    return {
        "trials": len(grid.points),
        "epochs": found,
        "ratio_nested": _median(race, "ratio_nested_race"),
        "ratio_plain": _median(race, "ratio_plain_race"),
        "ratio_nested_exhaustive": _median(short, "ratio_nested_exhaustive"),
        "ratio_plain_exhaustive": _median(short, "ratio_plain_exhaustive"),
        "tables_equal": all(one["tables_equal"] for one in found.values()),
    }


def _over_turns(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The spread of each of a length's figures over its turns; seconds to the best error are None where unknown."""

    def over(figures: Sequence[Any]) -> Any:
        if isinstance(figures[0], dict):
            return {name: over([one[name] for one in figures]) for name in figures[0]}
        return common.spread(list(figures)) if isinstance(figures[0], float) else figures[0]

    return {**over(turns), "tables_equal": all(turn["tables_equal"] for turn in turns)}


def _median(found: dict[str, Any], ratio: str) -> float | None:
    return found[ratio]["median"] if ratio in found else None


def _compared(
    epochs: int, every: int, grid: Grid, data: Dataset, sources: dict[str, Source], folder: Path, skip: Sequence[str]
) -> dict[str, Any]:
    """The variants at one length of trials."""
    usual = functools.partial(_tuned, epochs, grid.points, every, data.folder.path, sources)
    variants: dict[str, Callable[[Path], tuple[Table, float | None]]] = {
        "race": functools.partial(_searched, "race", epochs, grid, data, sources),
        "plain": functools.partial(usual, _function, {"cpu": 1}),
        "exhaustive": functools.partial(_searched, "exhaustive", epochs, grid, data, sources),
        "nested": functools.partial(usual, _nested, {"cpu": 0.01}),
    }
    seconds, best_s, tables = {}, {}, {}
    for name in [name for name in variants if name not in skip]:
        variant, started = variants[name], time.time()
        tables[name], best_at = variant(folder / name)
        scale = every if name in _USUAL else 1
        seconds[name] = (time.time() - started) * scale
        best_s[name] = None if best_at is None else best_at - started
        print(f"{epochs} epochs, {name}: {seconds[name]:.1f} s", flush=True)
    ratios = {
        f"ratio_{usual}_{ours}": seconds[usual] / seconds[ours]
        for usual in ("nested", "plain")
        for ours in ("exhaustive", "race")
        if usual in seconds
    }
    places = range(len(grid.points))
    expected = {name: places[::every] if name in _USUAL else places for name in tables}
    return {
        "seconds": seconds,
        "seconds_to_best": best_s,
        "estimated": [name for name in _USUAL if name in tables and every > 1],
        **ratios,
        "tables_equal": _agree(tables, expected, epochs),
        **_regret(tables),
    }


def _agree(tables: dict[str, Table], expected: Mapping[str, Sequence[int]], epochs: int) -> bool:
    """Whether all tables tell the same of each trial, as far as they tell of it; all their trials must be there."""
    whole = tables["exhaustive"]
    for name, table in tables.items():
        if sorted(table) != list(expected[name]):
            raise AssertionError(f"{name} must have the trials {list(expected[name])}, but has {sorted(table)}")
        short = [place for place, (curve, _) in table.items() if len(curve) < (1 if name == "race" else epochs)]
        if short:
            raise AssertionError(f"{name} must have trials of {epochs} epochs, but these have fewer: {short}")
        for place, (curve, weights) in table.items():
            rows, hashed = whole[place]
            if curve != rows[: len(curve)] or (len(curve) == epochs and weights != hashed):
                return False
    return True


def _regret(tables: dict[str, Table]) -> dict[str, float]:
    """The lowest final validation error of all trials, and how far above it the race's winner is."""
    ends = {mode: [c[-1][3] for c, w in tables[mode].values() if w is not None] for mode in ("exhaustive", "race")}
    return {"best_error": min(ends["exhaustive"]), "race_regret": min(ends["race"]) - min(ends["exhaustive"])}


def _ingested(source: str, out: str, options: IngestOptions) -> Dataset:
    """A data set of encoded images."""
    plan = plan_ingest(source, options)
    return ingest(plan, Folder.open(out), inspected(plan))


def _pretrained(name: str, folder: str, quick: bool) -> Source:
    """A source that has learnt something, quickly."""
    options = IngestOptions(split=(0.8, 0.1, 0.1))
    dataset = _ingested(f"procedural:{name}?num={200 if quick else 1500}&size=32", f"{folder}/{name}", options)
    train, val = (decode_split(dataset, split, 32) for split in ("train", "val"))
    network = build("resnet18", len(dataset.manifest.classes), 0)
    settings = _spec(folder, 2, 1, "exhaustive").train
    list(fine_tune(network, train, val, Recipe(0, 0.02, 2, 0, settings)))
    state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    return Source(name, "resnet18", "checkpoint", state, fingerprint=fingerprint(state))


def _spec(folder: str, epochs: int, trials: int, mode: str) -> StudySpec:
    return parse_spec(
        {
            "name": "search",
            "storage": folder,
            "target": {"data": "sklearn:digits", "image_size": _SIZE},
            "sources": [{"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}],
            "search": {
                "trials": max(2, trials),
                "epochs": epochs,
                "mode": mode,
                "algorithm": "random",
                "grace_epochs": 1,
            },
            "train": {"batch_size": 32, "augment": "crop"},
        }
    )


def _searched(
    mode: str, epochs: int, grid: Grid, data: Dataset, sources: dict[str, Source], folder: Path
) -> tuple[Table, float | None]:
    """translearn's search, decoding included; its table, and when it had the lowest error that it found."""
    spec = _spec(str(folder), epochs, len(grid.points), mode)
    train, val = (decode_split(data, split, _SIZE) for split in ("train", "val"))
    task = Task(train, val, len(data.manifest.classes), sources)
    outcomes = run_search(spec, task, Folder.open(folder), Resources(1, 0, 1, 2), proposals=grid)
    if mode == "race" and not all(one.is_replayed for one in outcomes if one.is_replayed is not None):
        raise AssertionError("the winner's replay gave other weights")
    curves = [outcome.curve for outcome in outcomes]
    table = {place: ([_figures(row) for row in curve], curve[-1].get("weights")) for place, curve in enumerate(curves)}
    ends = [(row["val_error"], row["ended_at"]) for curve in curves for row in curve if row.get("weights")]
    return table, min(ends)[1]


def _figures(row: dict[str, Any]) -> list[float]:
    return [row["epoch"], row["train_loss"], row["val_loss"], row["val_error"]]


def _tuned(
    epochs: int,
    points: list[Point],
    every: int,
    data: str,
    sources: dict[str, Source],
    trial: Callable[..., None],
    own: dict[str, float],
    folder: Path,
) -> tuple[Table, float | None]:
    """Trials by Ray Tune alone, two at a time."""
    folder.mkdir(parents=True)
    orders = ray.put((sources, points, _spec(str(folder), epochs, len(points), "exhaustive"), data, str(folder)))
    body = functools.partial(trial, orders=(orders,))
    results = tune.Tuner(
        tune.with_resources(body, own),
        param_space={"place": tune.grid_search(list(range(0, len(points), every)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=2, reuse_actors=False),
        run_config=tune.RunConfig(name="tune", storage_path=str(folder), verbose=0),
    ).fit()
    if results.errors:
        raise results.errors[0]
    made = [json.loads(path.read_text()) for path in folder.glob("*.trial")]
    table: Table = {one["place"]: (one["curve"], one["weights"]) for one in made}
    best = min((one["curve"][-1][3], one["ended_at"]) for one in made)[1]
    return table, best if every == 1 else None


def _function(config: dict[str, Any], orders: tuple[Any]) -> None:
    _train(config["place"], ray.get(orders[0]), Team())


def _nested(config: dict[str, Any], orders: tuple[Any]) -> None:
    name = tune.get_context().get_trial_id()
    TorchTrainer(
        _loop,
        train_loop_config={"place": config["place"], "orders": orders},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=scaling(1, 0.9, 0),
        run_config=ray.train.RunConfig(name=name, storage_path=f"{ray.get(orders[0])[-1]}/workers"),
    ).fit()


def _loop(config: dict[str, Any]) -> None:
    _train(config["place"], ray.get(config["orders"][0]), Team.joined(ray.train.torch.get_device()))


def _train(place: int, orders: tuple[Any, ...], team: Team) -> None:
    """Trains a trial from the encoded data set, and leaves what came of it in a file."""
    sources, points, spec, data, folder = orders
    prepare_process(1)
    point, dataset = points[place], open_dataset(data)
    train, val = (decode_split(dataset, split, _SIZE) for split in ("train", "val"))
    network, _ = initial_network(sources[point.source], len(dataset.manifest.classes), spec.seed)
    recipe = Recipe(point.freeze_depth, point.lr, spec.search.epochs, spec.seed, spec.train)
    curve = []
    for result in fine_tune(network, train, val, recipe, team):
        curve.append([result.epoch, result.train_loss, result.val_loss, result.val_error])
    made = {"place": place, "curve": curve, "weights": fingerprint(result.state()["model"]), "ended_at": time.time()}
    Path(folder, f"{place}.trial").write_text(json.dumps(made))


if __name__ == "__main__":
    more: dict[str, dict[str, Any]] = {
        "epochs": {"type": int, "help": "trials of this length alone, every one of them by each variant"},
        "turns": {
            "type": int,
            "default": 1,
            "choices": range(1, 10),
            "metavar": "N",
            "help": "how often all of it is measured",
        },
        "skip": {"action": "append", "default": [], "choices": _USUAL, "help": "a variant that is not run"},
    }
    common.run("search", measure, more=more)
