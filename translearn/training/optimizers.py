"""Optimisers and learning-rate schedules, as functions of the step alone."""

from __future__ import annotations

import math

import torch

from translearn.config import TrainSpec


def make_optimizer(groups: list[dict], lr: float, train: TrainSpec) -> torch.optim.Optimizer:
    """SGD (Nesterov momentum) or AdamW over parameter groups that carry their own weight decay.

    One kernel a step: on a CPU too, where SGD tensor by tensor takes 1.5 to 3 times as long (BENCHMARKS.md).
    """
    if train.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=True)
    momentum, nesterov = train.momentum, train.momentum > 0
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)


def lr_factor(step: int, total_steps: int, warmup_steps: int, schedule: str) -> float:
    """Return the learning rate of a step over the peak learning rate, in (0, 1].

    Linear warm-up; then ``cosine``: half a cosine to 0 after the last step (Loshchilov & Hutter 2017,
    arXiv 1608.03983, equation 5, without restarts); ``step``: divided by 10 at 1/3 and at 2/3 of the steps
    that remain; ``constant``.

    Args:
        step: Counted from 0.
        total_steps: Steps of the whole run.
        warmup_steps: How many of them warm up; at most half of them do.
        schedule: One of the three.
    """
    warmup_steps = min(warmup_steps, total_steps // 2)
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 0.1 ** math.floor(3 * progress) if schedule == "step" else 1.0
