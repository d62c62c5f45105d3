"""The budget: epochs and batch sizes that a study file leaves open follow from the number of training images.

Source: the BiT-HyperRule (Kolesnikov et al., Big Transfer, ECCV 2020, section 3.3): steps by the number of examples, in
    batches of 512. Ours: smaller batches where images are few, so that an epoch keeps its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from translearn.config import SourceSpec, StudySpec
from translearn.data.batches import num_steps
from translearn.words import plural

#: From so many training images on so many steps.
_STEPS = ((500_000, 20_000), (20_000, 10_000), (0, 500))
#: Of batches. BatchNorm's statistics over fewer than the least are too noisy to train on.
_LEAST, _MOST, _PARTS = 8, 512, 8


def enough_steps(num_train: int) -> int:
    """Return the steps that a run on so many training images needs."""
    return next(steps for least, steps in _STEPS if num_train >= least)


def auto_batch_size(num_train: int) -> int:
    """Return an eighth of the training images, but at least 8 and at most 512."""
    return min(_MOST, max(_LEAST, num_train // _PARTS))


def with_budget(spec: StudySpec, num_train: int) -> StudySpec:
    """Return the study with numbers in place of ``auto``, for so many training images of the target."""
    batch_size = spec.train.batch_size or auto_batch_size(num_train)
    enough = ceil(enough_steps(num_train) / num_steps(num_train, batch_size))
    search = spec.search.model_copy(update={"epochs": spec.search.epochs or enough})
    refit = spec.refit.model_copy(update={"epochs": spec.refit.epochs or max(enough, search.epochs)})
    train = spec.train.model_copy(update={"batch_size": batch_size})
    return spec.model_copy(update={"search": search, "refit": refit, "train": train})


def pretrain_batch_size(source: SourceSpec, spec: StudySpec, num_train: int) -> int:
    """Return the batch size of a pre-training on so many images of the source."""
    assert source.pretrain
    return source.pretrain.batch_size or spec.train.batch_size or auto_batch_size(num_train)


def budget_of(spec: StudySpec, num_train: int, lacking: Sequence[str] = ()) -> dict[str, Any]:
    """Return the section ``budget`` of evaluation.json.

    Args:
        spec: The study, with its budget.
        num_train: Training images of the target.
        lacking: What was left out for ``time_budget_s``.
    """
    short = [f"time_budget_s: left out for it: {'; '.join(lacking)}."] if lacking else []
    steps = num_steps(num_train, spec.train.batch_size)
    return {
        "batch_size": spec.train.batch_size,
        "steps_per_epoch": steps,
        "search_epochs": spec.search.epochs,
        "refit_epochs": spec.refit.epochs,
        "refit_steps": spec.refit.epochs * steps,
        "enough_steps": enough_steps(num_train),
        "warnings": [*short, *few_steps(spec, num_train)],
    }


def few_steps(spec: StudySpec, num_train: int) -> list[str]:
    """Return a warning for search and refit where they have too few steps, with the epochs that would do."""
    steps, enough = num_steps(num_train, spec.train.batch_size), enough_steps(num_train)
    return [
        f"{key}: {_equal(epochs, epochs * steps)}, few for {num_train} training images: scratch may not have "
        f"learned by then. {plural(ceil(enough / steps), 'epoch')} ({enough} steps) would do, as auto sets them."
        for key, epochs in (("search.epochs", spec.search.epochs), ("refit.epochs", spec.refit.epochs))
        if epochs * steps < enough
    ]


def _equal(epochs: int, steps: int) -> str:
    """Return ``8 epochs are 40 steps``, and ``1 epoch is 1 step``."""
    return f"{epochs} epoch{' is' if epochs == 1 else 's are'} {steps} step{'' if steps == 1 else 's'}"
