"""One epoch of runs in lock-step: their common input is made once a batch, and each run steps on it as if alone."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from translearn.boundary.feed import Feed
from translearn.boundary.shares import Shares, shares
from translearn.data.batches import epoch_batches, worker_part
from translearn.data.images.examples import Examples
from translearn.data.images.image_set import ImageSet
from translearn.errors import NonFiniteLossError
from translearn.training.config import EpochResult
from translearn.training.distributed import Team
from translearn.training.inference import blocks
from translearn.training.step import Run

Results = dict[int, EpochResult | NonFiniteLossError]
#: Stored boundaries by freeze depth, see ``boundary.feed.Feed``.
Boundaries = Mapping[int, Examples]


@dataclass(frozen=True)
class Stored:
    """Boundaries that are read instead of computed: of training and of validation examples."""

    train: Boundaries = field(default_factory=dict)
    val: Boundaries = field(default_factory=dict)


def lock_step(runs: dict[int, Run], train: ImageSet, val: ImageSet, stored: Stored) -> Results:
    """The results of ``in_parts``, in one part."""
    epoch = in_parts(runs, train, val, stored)
    while True:
        try:
            next(epoch)
        except StopIteration as end:
            results: Results = end.value
            return results


def in_parts(
    runs: dict[int, Run], train: ImageSet, val: ImageSet, stored: Stored, part_steps: int | None = None
) -> Generator[int, None, Results]:
    """Trains and validates runs of one source for an epoch, on one pass of their input.

    Args:
        runs: By any key; all are after the same epoch and step, and their networks share their frozen stages.
        train: The training split.
        val: The validation split.
        stored: Boundaries to read instead of computing them.
        part_steps: The length of a part; None for none.

    Yields:
        After each part but the last how many steps of the epoch are done: the runs' states may be kept.

    Returns:
        By the same keys, the epoch's result, or why the run ends here.
    """
    started, members = time.perf_counter(), list(runs.values())
    fed, num_images, paused_s = yield from _train(members, train, stored.train, part_steps)
    train_s = _seconds(members, fed, time.perf_counter() - started - paused_s)
    fed += _validate(members, val, stored.val)
    figures = [run.figures(len(train)) for run in members]
    whole_s = _seconds(members, fed, time.perf_counter() - started - paused_s)
    return {
        place: _non_finite(run, train_loss=train_loss, val_loss=val_loss)
        or EpochResult(
            epoch=run.epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_error=val_error,
            lr=run.optimizer.param_groups[0]["lr"],
            seconds=seconds,
            images_per_s=num_images / trained_s,
            saved_s=fed.saved_s(run.recipe.freeze_depth),
            state=run.state,
        )
        for (place, run), (train_loss, val_loss, val_error), trained_s, seconds in zip(
            runs.items(), figures, train_s, whole_s, strict=True
        )
    }


def _seconds(runs: list[Run], fed: Shares, whole_s: float) -> list[float]:
    """The seconds of each run: its own, its part of the input, and an equal part of what is left of the whole."""
    busy_s = [run.seconds + fed.part_s[run.recipe.freeze_depth] for run in runs]
    return [one + (whole_s - sum(busy_s)) / len(runs) for one in busy_s]


def _feed(runs: list[Run], data: ImageSet, stored: Boundaries, chunk: int | None, augment: str) -> Feed:
    deepest = max(runs, key=lambda run: run.recipe.freeze_depth)
    recipe = deepest.recipe
    return Feed(
        deepest.network,
        {run.recipe.freeze_depth for run in runs},
        data,
        precision=deepest.precision,
        device=deepest.team.device,
        chunk=chunk,
        augment=augment,
        seed=recipe.seed,
        views=recipe.views,
        stored=stored,
    )


def prefix_chunk(batch_size: int, num_examples: int, num_workers: int) -> int:
    """How many images at a time the frozen stages take in training: always the same, because bits depend on it."""
    return math.ceil(min(batch_size, num_examples) / num_workers)


def _train(
    runs: list[Run], data: ImageSet, stored: Boundaries, part_steps: int | None
) -> Generator[int, None, tuple[Shares, int, float]]:
    """One pass over the training split by all runs, or over what is left of it.

    Returns:
        What their common input took of each, the images of all workers, and the seconds between parts.
    """
    recipe, team, first, paused_s = runs[0].recipe, runs[0].team, runs[0].num_done, 0.0
    for run in runs:
        run.begin_epoch()
    chunk = prefix_chunk(recipe.train.batch_size, len(data), team.num_workers)
    feed, epoch = _feed(runs, data, stored, chunk, recipe.train.augment), runs[0].epoch
    batches = epoch_batches(len(data), recipe.train.batch_size, recipe.seed, epoch)
    parts = [worker_part(rows, team.rank, team.num_workers) for rows in batches]
    for index, boundaries in enumerate(feed.batches(parts[first:], epoch), first):
        labels = _labels(data, parts[index], team)
        for run in runs:
            run.step(boundaries[run.recipe.freeze_depth], labels, len(batches[index]), index)
        if part_steps and (index + 1) % part_steps == 0 and index + 1 < len(batches):
            paused_s += yield from _pause(runs, index + 1)
    for run in runs:
        run.end_training()
    return _shares(feed, runs), sum(map(len, batches[first:])), paused_s


def _pause(runs: list[Run], num_done: int) -> Generator[int, None, float]:
    for run in runs:
        run.end_part()
    started = time.perf_counter()
    yield num_done
    return time.perf_counter() - started


def _validate(runs: list[Run], data: ImageSet, stored: Boundaries) -> Shares:
    """One pass over the validation split by all runs; returns what their common input took of each."""
    team = runs[0].team
    feed = _feed(runs, data, stored, None, "none")
    parts = list(blocks(len(data), team))
    for rows, boundaries in zip(parts, feed.batches(parts, runs[0].epoch), strict=True):
        labels = _labels(data, rows, team)
        for run in runs:
            run.validate(boundaries[run.recipe.freeze_depth], labels)
    return _shares(feed, runs)


def _shares(feed: Feed, runs: list[Run]) -> Shares:
    return shares(feed.segments_s, feed.starts, [run.recipe.freeze_depth for run in runs])


def _labels(data: ImageSet, rows: np.ndarray, team: Team) -> torch.Tensor:
    return torch.from_numpy(data.labels[rows]).to(team.device)


def _non_finite(run: Run, **losses: float) -> NonFiniteLossError | None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            where = f"in epoch {run.epoch} at lr {run.recipe.lr:g}, freeze depth {run.recipe.freeze_depth}."
            error = NonFiniteLossError(f"{name} is {loss} {where} A lower learning rate or train.clip_norm helps.")
            error.epoch = run.epoch
            return error
    return None
