"""THE loop: plain torch generators that yield results an epoch at a time and know nothing of Ray.

The same loop runs in a Tune trial, in a worker of Ray Train, and in a test. What differs (rank, device, data, who is
told) is passed in. Pre-training is the same loop, from scratch, at freeze depth 0.

Runs that start from one source can be trained in lock-step: an augmented batch and its way through the frozen stages
are made once, and feed every run at its own freeze depth. Nothing that a run computes depends on the others, so each
gives the bits that it would give alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from translearn.data.batches import num_steps
from translearn.data.images.image_set import ImageSet
from translearn.errors import NonFiniteLossError
from translearn.models.freeze import share_frozen
from translearn.models.network import Network
from translearn.training.config import EpochPart, EpochResult, LoopState, Recipe
from translearn.training.distributed import Team
from translearn.training.epoch import Results, Stored, in_parts, lock_step
from translearn.training.step import Run


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
    for result in fine_tune_in_parts(network, train, val, recipe, team, state, stored):
        assert isinstance(result, EpochResult)  # one part an epoch
        yield result


def fine_tune_in_parts(
    network: Network,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    team: Team | None = None,
    state: LoopState | None = None,
    stored: Stored | None = None,
    part_steps: int | None = None,
) -> Iterator[EpochPart | EpochResult]:
    """As ``fine_tune``, for epochs that are long: yields also inside an epoch, where its state can be kept as well.

    The parts change no result of a worker alone; of several workers without ``sync_batchnorm`` they change rounding.

    Args:
        network, train, val, recipe, team, state, stored: As for ``fine_tune``.
        part_steps: An ``EpochPart`` comes after every so many steps, unless the epoch then ends.

    Raises:
        NonFiniteLossError: As ``fine_tune``; it is noticed at the end of an epoch.
    """
    share_frozen([network], [recipe.freeze_depth])
    run = _begun(Entrant(network, recipe, state), team or Team(), num_steps(len(train), recipe.train.batch_size))
    while run.epoch < recipe.epochs:
        epoch = in_parts({0: run}, train, val, stored or Stored(), part_steps)
        result = (yield from _parts(run, epoch))[0]
        if isinstance(result, NonFiniteLossError):
            raise result
        yield result


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
        results: Results = lock_step(active, train, val, stored)
        for place in [place for place, result in results.items() if isinstance(result, NonFiniteLossError)]:
            del runs[place]
        yield results


def _parts(run: Run, epoch: Generator[int, None, Results]) -> Generator[EpochPart, None, Results]:
    while True:
        try:
            num_done = next(epoch)
        except StopIteration as end:
            results: Results = end.value
            return results
        yield EpochPart(run.epoch, num_done, run.state)


def _begun(entrant: Entrant, team: Team, steps_per_epoch: int) -> Run:
    done = int(entrant.state["epoch"]) if entrant.state else 0
    run = Run(entrant.network, entrant.recipe, team, steps_per_epoch, (entrant.until or entrant.recipe.epochs) - done)
    if entrant.state:
        run.restore(entrant.state)
    return run
