"""THE loop: plain torch generators that yield results an epoch at a time and know nothing of Ray.

The same loop runs in a Tune trial, in a worker of Ray Train, and in a test. What differs (rank, device, data, who is
told) is passed in. Pre-training is the same loop, from scratch, at freeze depth 0.

Runs that start from one source can be trained in lock-step: an augmented batch and its way through the frozen stages
are made once, and feed every run at its own freeze depth. Nothing that a run computes depends on the others, so each
gives the bits that it would give alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from translearn.data.batches import num_steps
from translearn.data.image_set import ImageSet
from translearn.errors import NonFiniteLossError
from translearn.lock_step import Stored, lock_step
from translearn.models.freeze import share_frozen
from translearn.models.network import Network
from translearn.recipe import EpochResult, LoopState, Recipe
from translearn.run import Run
from translearn.team import Team


@dataclass(frozen=True)
class Entrant:
    """One of the runs that are trained together.

    Attributes:
        network: Changed in place; its first ``recipe.freeze_depth`` stages stay bit for bit what they are.
        recipe: What to do. Entrants differ in freeze depth, learning rate and weight decay only.
        state: Where to go on: an earlier result's ``state()``; from the beginning when None.
        until: The last epoch for which it will be asked; that of the recipe when None.
    """

    network: Network
    recipe: Recipe
    state: LoopState | None = None
    until: int | None = None


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
        results = lock_step(active, train, val, stored)
        for place in [place for place, result in results.items() if isinstance(result, NonFiniteLossError)]:
            del runs[place]
        yield results


def _begun(entrant: Entrant, team: Team, steps_per_epoch: int) -> Run:
    done = int(entrant.state["epoch"]) if entrant.state else 0
    run = Run(entrant.network, entrant.recipe, team, steps_per_epoch, (entrant.until or entrant.recipe.epochs) - done)
    if entrant.state:
        run.restore(entrant.state)
    return run
