"""THE loop: plain torch generators that yield results an epoch at a time and know nothing of Ray.

The same loop runs in a Tune trial, in a worker of Ray Train, and in a test. What differs (worker, device, data) is
passed in. Pre-training is the same loop, from scratch, at freeze depth 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from translearn.data.batches import epoch_batches, num_steps, smallest_part, worker_part, worker_part_and_next
from translearn.data.images.image_set import ImageSet
from translearn.data.mixing import Mixing
from translearn.errors import NonFiniteError
from translearn.models.network import Network
from translearn.training.config import EpochPart, EpochResult, LoopState, TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.features import ProbeFeatures, probe_features, reads_features, trains_head_alone
from translearn.training.inference import worker_blocks
from translearn.training.inputs import feature_inputs, inputs
from translearn.training.step import TrainingStep


def fine_tune(
    network: Network,
    train: ImageSet,
    val: ImageSet,
    config: TrainConfig,
    context: DistributedContext | None = None,
    state: LoopState | None = None,
    features: ProbeFeatures | None = None,
) -> Iterator[EpochResult]:
    """Train a network on a target, and yield a result after each epoch.

    Any number of workers sees the same global batches; a run that goes on from a state gives, on a CPU at the same
    number of threads, the same bits as one that was never interrupted.

    Args:
        network: Changed in place; its first ``config.freeze_depth`` stages stay bit for bit what they are.
        train: The training split (the whole of it, on every worker).
        val: The validation split, likewise.
        config: What to do.
        context: The workers; one alone when None.
        state: Where to go on: an earlier result's ``state()``.
        features: The source's, read by a run that trains only the head on images without augmentation. When None such
            a run computes them first, with the same bits. Other runs ignore them.

    Raises:
        NonFiniteError: A loss, or a trained parameter or buffer, became infinite or not a number, on any worker; every
            worker raises it.
    """
    for result in fine_tune_in_parts(network, train, val, config, context, state, features):
        assert isinstance(result, EpochResult)  # one part an epoch
        yield result


def fine_tune_in_parts(
    network: Network,
    train: ImageSet,
    val: ImageSet,
    config: TrainConfig,
    context: DistributedContext | None = None,
    state: LoopState | None = None,
    features: ProbeFeatures | None = None,
    part_steps: int | None = None,
) -> Iterator[EpochPart | EpochResult]:
    """As ``fine_tune``, for epochs that are long: yield also inside an epoch, where its state can be kept as well.

    The parts change no result of a worker alone; of several workers without ``sync_batchnorm`` they change rounding.

    Args:
        network, train, val, config, context, state, features: As for ``fine_tune``.
        part_steps: An ``EpochPart`` comes after every so many steps, unless the epoch then ends.

    Raises:
        NonFiniteError: As ``fine_tune``; it is noticed at the end of an epoch.
    """
    steps_per_epoch = num_steps(len(train), config.train.batch_size)
    shared = _with_enough(context or DistributedContext(), len(train), config.train.batch_size)
    step = TrainingStep(network, config, shared, steps_per_epoch, state)
    started = time.perf_counter()
    splits = _splits(step, train, val, features)
    while step.epoch < config.epochs:
        yield (yield from _epoch(step, *splits, part_steps, started))
        started = time.perf_counter()


def _with_enough(context: DistributedContext, num_train: int, batch_size: int) -> DistributedContext:
    """Return the workers with BatchNorm over the global batch where a share of it may be one image, or none.

    There is no variance over one value, and no mean over none.
    """
    few = smallest_part(num_train, batch_size, context.num_workers) < 2
    return replace(context, sync_batchnorm=True) if few else context


@dataclass(frozen=True, eq=False)
class _Split:
    """A split, and its probe features where the run reads them: of validation images in every linear probe."""

    images: ImageSet
    features: Tensor | None

    def batches(self, step: TrainingStep, blocks: list[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images, or the features where the run reads them, and the labels of each block of rows."""
        device = step.context.device
        if self.features is not None:
            return feature_inputs(self.features, self.images.labels, blocks, device)
        return inputs(self.images, blocks, device, normalisation=step.network.normalisation)

    def augmented(self, step: TrainingStep, batches: list[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this worker's part of each batch of rows, augmented, with its labels or soft labels."""
        config, epoch, network = step.config, step.epoch + 1, step.network
        workers, train = (step.context.worker_rank, step.context.num_workers), config.train
        if not train.changes_images:
            return self.batches(step, [worker_part(rows, *workers) for rows in batches])
        part = worker_part_and_next if train.mixes else worker_part
        blocks = [part(rows, *workers) for rows in batches]
        how = train.augment, config.seed, epoch, network.normalisation, train.erasing
        given = inputs(self.images, blocks, step.context.device, *how)
        if not train.mixes:
            return given
        mixing = Mixing(train.mixup, train.cutmix, network.head.out_features, config.seed)
        return mixing.batches(given, (self.images.keys[rows] for rows in blocks), epoch)


def _splits(step: TrainingStep, train: ImageSet, val: ImageSet, given: ProbeFeatures | None) -> tuple[_Split, _Split]:
    def features(images: ImageSet, known: Tensor | None) -> Tensor:
        return probe_features(step.network, images, step.precision, step.context) if known is None else known

    is_probe, is_plain = (rule(step.config, step.network) for rule in (trains_head_alone, reads_features))
    return (
        _Split(train, features(train, given.train if given else None) if is_plain else None),
        _Split(val, features(val, given.val if given else None) if is_probe else None),
    )


def _epoch(
    step: TrainingStep, train: _Split, val: _Split, part_steps: int | None, started: float
) -> Generator[EpochPart, None, EpochResult]:
    """Train and validate for an epoch, or for what is left of it; ``started``: when, by ``time.perf_counter``."""
    config, num = step.config, len(train.images)
    batches = epoch_batches(num, config.train.batch_size, config.seed, step.epoch + 1)[step.num_done :]
    paused_s = yield from _train(step, train, batches, part_steps)
    train_loss = step.end_epoch() / num
    train_s = time.perf_counter() - started - paused_s
    val_loss, val_error = _validate(step, val)
    _check_finite(step, train_loss=train_loss, val_loss=val_loss)
    return EpochResult(
        epoch=step.epoch,
        train_loss=train_loss,
        val_loss=val_loss,
        val_error=val_error,
        lr=step.lr,
        seconds=time.perf_counter() - started - paused_s,
        images_per_s=sum(map(len, batches)) / train_s,
        state=step.state,
    )


def _train(
    step: TrainingStep, split: _Split, batches: list[np.ndarray], part_steps: int | None
) -> Generator[EpochPart, None, float]:
    """Do a step on each batch; return the seconds between parts."""
    step.network.train()
    paused_s = 0.0
    for rows, (x, targets) in zip(batches, split.augmented(step, batches), strict=True):
        share = worker_part(rows, step.context.worker_rank, step.context.num_workers)
        step(x, targets, split.images.keys[share], len(rows))
        if part_steps and step.num_done % part_steps == 0 and step.num_done < step.steps_per_epoch:
            step.end_part()
            paused = time.perf_counter()
            yield EpochPart(step.epoch + 1, step.num_done, step.state)
            paused_s += time.perf_counter() - paused
    return paused_s


def _validate(step: TrainingStep, split: _Split) -> tuple[float, float]:
    """Return the mean cross-entropy (nats) and the error on validation, over all workers."""
    counts = torch.zeros(3, dtype=torch.float64, device=step.context.device)
    for x, labels in split.batches(step, worker_blocks(len(split.images), step.context)):
        counts += step.tally(x, labels)
    loss, mistakes, num = step.context.sum(counts).tolist()
    return loss / num, mistakes / num


def _check_finite(step: TrainingStep, **losses: float) -> None:
    faults = [f"{name} is {loss}" for name, loss in losses.items() if not math.isfinite(loss)]
    faults += [f"{name} holds NaN or infinity" for name in step.non_finite()]
    if faults:
        where = f"in epoch {step.epoch} at lr {step.config.lr:g}, freeze depth {step.config.freeze_depth}."
        error = NonFiniteError(f"{faults[0]} {where} A lower learning rate or train.clip_norm helps.")
        error.epoch = step.epoch
        raise error
