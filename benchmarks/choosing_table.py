"""The whole grid of the benchmark ``choosing``: the curve of every trial, trained once and kept.

A trial's curve is the same whoever asks for it, so searchers are compared on one table, as often as one likes.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from choosing_tasks import TARGETS, TRAIN, Target, obtain_sources, target_images

from translearn.config import SCRATCH
from translearn.config.archs import num_stages
from translearn.data.images.image_set import ImageSet
from translearn.errors import NonFiniteLossError
from translearn.models.sources import Source, initial_network, scratch
from translearn.training.config import EpochResult, Recipe
from translearn.training.loop import Entrant, fine_tune_together
from translearn.training.precision import prepare_process

CACHE = Path(os.environ.get("TRANSLEARN_BENCHMARKS", Path.home() / ".cache" / "translearn-benchmarks"))
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
EPOCHS, QUICK_EPOCHS = 9, 2

#: Source, freeze depth, learning rate.
Cell = tuple[str, int, float]
#: Validation error and loss, and the processor seconds that an epoch would take alone; short if it diverged.
Curve = list[tuple[float, float, float]]
Table = dict[Cell, Curve]


def kept_table(target: Target, seed: int, sources: Mapping[str, Source], epochs: int = EPOCHS) -> Table:
    """The table of a target and a seed: of each source read where it was made before, else made and kept."""
    table: Table = {}
    for name, source in sources.items():
        file = _file(target, seed, name, epochs)
        if not file.exists():
            found = train_grid(target, seed, source, epochs)
            _keep(file, [[depth, lr, curve] for (_, depth, lr), curve in found.items()])
        rows = json.loads(file.read_text())
        table |= {(name, depth, lr): [(e, loss, s) for e, loss, s in curve] for depth, lr, curve in rows}
    return table


def is_kept(target: Target, seed: int, names: Iterable[str]) -> bool:
    """Whether the tables of all these sources, of full length, were made before."""
    return all(_file(target, seed, name, EPOCHS).exists() for name in names)


def _file(target: Target, seed: int, source: str, epochs: int) -> Path:
    return CACHE / "choosing" / f"{target.name}-{seed}-{source}{'' if epochs == EPOCHS else '-quick'}.json"


def _keep(file: Path, rows: list[list]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(rows))
    part.replace(file)


def train_grid(target: Target, seed: int, source: Source, epochs: int) -> Table:
    """Trains every trial of a source, in one thread; those of a depth in lock-step."""
    train, val = target_images(target, seed)
    table: Table = {}
    for depth in [0] if source.kind == "scratch" else range(num_stages(source.arch) + 1):
        network, _ = initial_network(source, len(target.classes), seed)
        entrants = [Entrant(copy.deepcopy(network), Recipe(depth, lr, epochs, seed, TRAIN)) for lr in RATES]
        curves = list(_curves(entrants, train, val))
        table |= {
            (source.name, depth, lr): [curve[place] for curve in curves if place in curve]
            for place, lr in enumerate(RATES)
        }
    return table


def _curves(entrants: list[Entrant], train: ImageSet, val: ImageSet) -> Iterator[dict[int, tuple[float, float, float]]]:
    started, processor = time.perf_counter(), time.process_time()
    for results in fine_tune_together(entrants, train, val):
        # In one thread, processor time is what wall time would be if nobody else were at work.
        share = (time.process_time() - processor) / (time.perf_counter() - started)
        ended = {place: one for place, one in results.items() if not isinstance(one, NonFiniteLossError)}
        yield {place: _figures(one, share) for place, one in ended.items()}
        started, processor = time.perf_counter(), time.process_time()


def _figures(result: EpochResult, share: float) -> tuple[float, float, float]:
    return result.val_error, result.val_loss, share * (result.seconds + result.saved_s)


def with_scratch(sources: dict[str, Source]) -> dict[str, Source]:
    """The sources and scratch."""
    arch = next(iter(sources.values())).arch
    return {**sources, SCRATCH: scratch(arch)}


if __name__ == "__main__":  # one table: `python benchmarks/choosing_table.py PLACE SEED`
    prepare_process(1)
    kept_table(TARGETS[int(sys.argv[1])], int(sys.argv[2]), with_scratch(obtain_sources()))
