"""THE loop: plain torch generators that yield results an epoch at a time and know nothing of Ray.

The same loop runs in a Tune trial, in a worker of Ray Train, and in a test. What differs (rank, device, data, who is
told) is passed in. Pre-training is the same loop, from scratch, at freeze depth 0.

Runs that start from one source can be trained in lock-step: an augmented batch and its way through the frozen stages
are made once, and feed every run at its own freeze depth. Nothing that a run computes depends on the others, so each
gives the bits that it would give alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from translearn.boundary.feed import Feed
from translearn.data.batches import epoch_batches, num_steps, worker_part
from translearn.data.examples import Examples
from translearn.data.image_set import ImageSet
from translearn.errors import NonFiniteLossError
from translearn.inference import blocks
from translearn.models.freeze import share_frozen
from translearn.models.network import Network
from translearn.recipe import EpochResult, LoopState, Recipe
from translearn.run import Run
from translearn.team import Team

#: Stored boundaries by freeze depth, see ``boundary.feed.Feed``.
Boundaries = Mapping[int, Examples]


@dataclass(frozen=True)
class Entrant:
    """One of the runs that are trained together.

    Attributes:
        network: Changed in place; its first ``recipe.freeze_depth`` stages stay bit for bit what they are.
        recipe: What to do. Entrants differ in freeze depth, learning rate and weight decay only.
        state: Where to go on: an earlier result's ``state()``; from the beginning when None.
    """

    network: Network
    recipe: Recipe
    state: LoopState | None = None


@dataclass(frozen=True)
class Stored:
    """Boundaries that are read instead of computed: of training and of validation examples."""

    train: Boundaries = field(default_factory=dict)
    val: Boundaries = field(default_factory=dict)


def fine_tune(
    network: Network,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    team: Team | None = None,
    state: LoopState | None = None,
    stored: Stored | None = None,
) -> Iterator[EpochResult]:
    """Trains a network's suffix on a target, and yields a result after each epoch.

    Any number of workers sees the same global batches; a run that goes on from a state gives, on a CPU at the same
    number of threads, the same bits as one that was never interrupted.

    Args:
        network: Changed in place; its first ``recipe.freeze_depth`` stages stay bit for bit what they are.
        train: The training split (the whole of it, on every worker).
        val: The validation split, likewise.
        recipe: What to do.
        team: The workers; alone when None.
        state: Where to go on: an earlier result's ``state()``.
        stored: Boundaries to read instead of computing them.

    Raises:
        NonFiniteLossError: A loss became infinite or not a number, on any worker; every worker raises it.
    """
    for results in fine_tune_together([Entrant(network, recipe, state)], train, val, team, stored):
        if isinstance(results[0], NonFiniteLossError):
            raise results[0]
        yield results[0]


def fine_tune_together(
    entrants: Sequence[Entrant],
    train: ImageSet,
    val: ImageSet,
    team: Team | None = None,
    stored: Stored | None = None,
) -> Iterator[dict[int, EpochResult | NonFiniteLossError]]:
    """Trains runs of one source in lock-step, and yields after each epoch the result of each that took part in it.

    Args:
        entrants: The runs. Their networks come from one source, and share their frozen stages from now on.
        train, val, team, stored: As for ``fine_tune``.

    Yields:
        For each entrant, by its place in ``entrants``, the epoch's result, or why it ends here; a run that goes on
        from a later epoch than others joins when they have come there.
    """
    team, stored = team or Team(), stored or Stored()
    share_frozen([entrant.network for entrant in entrants], [entrant.recipe.freeze_depth for entrant in entrants])
    steps = num_steps(len(train), entrants[0].recipe.train.batch_size)
    runs = {place: _begun(entrant, team, steps) for place, entrant in enumerate(entrants)}
    for epoch in range(1, max(entrant.recipe.epochs for entrant in entrants) + 1):
        active = {place: run for place, run in runs.items() if run.epoch == epoch - 1}
        if not active:
            continue
        results = _epoch(active, train, val, stored)
        for place in [place for place, result in results.items() if isinstance(result, NonFiniteLossError)]:
            del runs[place]
        yield results


def _begun(entrant: Entrant, team: Team, steps_per_epoch: int) -> Run:
    run = Run(entrant.network, entrant.recipe, team, steps_per_epoch)
    if entrant.state:
        run.restore(entrant.state)
    return run


def _epoch(
    runs: dict[int, Run], train: ImageSet, val: ImageSet, stored: Stored
) -> dict[int, EpochResult | NonFiniteLossError]:
    started, members = time.perf_counter(), list(runs.values())
    fed_s = _train(members, train, stored.train)
    trained = time.perf_counter()
    own_train_s = [run.seconds for run in members]
    fed_s += _validate(members, val, stored.val)
    figures = [run.figures(len(train)) for run in members]
    whole_s, num = time.perf_counter() - started, len(members)
    shared_train_s = (trained - started - sum(own_train_s)) / num
    shared_s = (whole_s - sum(run.seconds for run in members)) / num
    return {
        place: _non_finite(run, train_loss=train_loss, val_loss=val_loss)
        or EpochResult(
            epoch=run.epoch,
            train_loss=train_loss,
            val_loss=val_loss,
            val_error=val_error,
            lr=run.optimizer.param_groups[0]["lr"],
            seconds=run.seconds + shared_s,
            images_per_s=len(train) / (own_s + shared_train_s),
            saved_s=fed_s * (1 - 1 / num),
            state=run.state,
        )
        for (place, run), (train_loss, val_loss, val_error), own_s in zip(
            runs.items(), figures, own_train_s, strict=True
        )
    }


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


def _train(runs: list[Run], data: ImageSet, stored: Boundaries) -> float:
    """One pass over the training split by all runs; returns the seconds that their common input took."""
    recipe, team = runs[0].recipe, runs[0].team
    for run in runs:
        run.begin_epoch()
    chunk = prefix_chunk(recipe.train.batch_size, len(data), team.num_workers)
    feed, epoch = _feed(runs, data, stored, chunk, recipe.train.augment), runs[0].epoch
    batches = epoch_batches(len(data), recipe.train.batch_size, recipe.seed, epoch)
    parts = [worker_part(rows, team.rank, team.num_workers) for rows in batches]
    for index, boundaries in enumerate(feed.batches(parts, epoch)):
        labels = _labels(data, parts[index], team)
        for run in runs:
            run.step(boundaries[run.recipe.freeze_depth], labels, len(batches[index]), index)
    for run in runs:
        run.end_training()
    return feed.seconds


def _validate(runs: list[Run], data: ImageSet, stored: Boundaries) -> float:
    """One pass over the validation split by all runs; returns the seconds that their common input took."""
    team = runs[0].team
    feed = _feed(runs, data, stored, None, "none")
    parts = list(blocks(len(data), team))
    for rows, boundaries in zip(parts, feed.batches(parts, runs[0].epoch), strict=True):
        labels = _labels(data, rows, team)
        for run in runs:
            run.validate(boundaries[run.recipe.freeze_depth], labels)
    return feed.seconds


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
